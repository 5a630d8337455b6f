"""The formula language: text to a tree, read by our own parser and never executed.

formulaic's parser would serve the plain part only: it knows neither random terms nor our
functions, and costs 120 ms to import. So the whole language is read here by recursive descent,
and what the grammar does not name is refused with a sentence that says what is allowed.

The operators mean what they mean in R (Wilkinson & Rogers, 1973, doi:10.2307/2346786).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from collabsurvey.errors import FormulaError
from collabsurvey.regression.expressions import (
    FUNCTIONS,
    Arithmetic,
    Call,
    ColumnRef,
    Expression,
    Number,
)
from collabsurvey.regression.formula import Formula, RandomTerm, Term, crossed, ordered, unique

LANGUAGE = (
    "A formula is made of column names (in backticks if they hold spaces), numbers, the operators "
    "+ - : * ^, the functions C() factor() log() I() center() within(x, g) between(x, g) offset() "
    "cbind(successes, failures), and random terms such as (1 + x | school), (1 + x || school) "
    "without correlations, (1 | a/b) for b within a, (1 | a:b) for combinations, and "
    "(1 | mm(a, b, weights=(v, w))) for rows that belong to several groups."
)
DEEPEST = 50  # parentheses in parentheses; the parser calls itself for each
LONGEST = 20_000  # names, numbers and signs
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<name>(?:[^\W\d]|\.(?!\d))[\w.]*)
  | `(?P<quoted>[^`]+)`
  | (?P<sign>\*\*|\|\||[~+\-*/^:|(),=])
  | (?P<other>\S)
)""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class _Token:
    kind: str  # number | name | sign | other | end
    text: str
    quoted: bool = False


def parse_formula(text: str) -> Formula:
    """Read a formula; see `LANGUAGE` for what it may hold.

    Parameters
    ----------
    text : str
        Such as "attendance ~ trust + C(year) + (1 | school)".

    Returns
    -------
    Formula
        `outcome_columns`, `predictor_columns`, `grouping_columns`, `columns`, `random`.

    Raises
    ------
    FormulaError
        Anything that is not part of the language, with what is allowed.
    """
    return _Parser(text).formula()


class _Parser:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise FormulaError(str(text), f"a formula is text. {LANGUAGE}")
        self.text = text.strip()
        self.tokens = list(_tokens(self.text))
        depth = [(token.text == "(") - (token.text == ")") for token in self.tokens]
        if max(accumulate(depth), default=0) > DEEPEST or len(self.tokens) > LONGEST:
            raise FormulaError(
                f"{self.text[:60]} …", f"it is nested too deeply or too long to be read. {LANGUAGE}"
            )
        self.at = 0
        self.offsets: list[Expression] = []
        self.random: list[RandomTerm] = []

    def formula(self) -> Formula:
        if self.text.count("~") != 1:
            raise self.error("one ~ must stand between the outcome and the predictors")
        response = self.response()
        self.expect("~")
        if self.peek().kind == "end":
            raise self.error("the predictors are missing; write 1 after ~ for a mean alone")
        terms = self.total([()], top=True)
        if self.peek().text in {"|", "||"}:
            raise self.error("a random term stands in parentheses: (1 | school)")
        self.expect_end()
        return Formula(
            text=self.text,
            response=response,
            intercept=() in terms,
            terms=ordered(terms),
            random=tuple(self.random),
            offsets=tuple(self.offsets),
        )

    # the outcome ---------------------------------------------------------------------------

    def response(self) -> Expression:
        if self.peek().text == "~":
            raise self.error("the outcome is missing; write it before ~")
        if self.peek().text == "cbind":
            return self.call()
        response = self.variable()
        if isinstance(response, Call) and response.function not in {"log", "I"}:
            raise self.error(f"{response.function}() cannot be an outcome")
        if self.peek().text != "~":
            raise self.error(
                "the outcome is one column, log(), I() of arithmetic or cbind(); "
                "for a sum write I(a + b)"
            )
        return response

    # sums, products and interactions of terms ----------------------------------------------

    def total(self, start: list[Term], *, top: bool = False) -> list[Term]:
        terms = list(start)
        sign = self.sign_or("+")
        while True:
            if top and self.has_bar():
                if sign == "-":
                    raise self.error("a random term cannot be taken away")
                self.random.extend(self.random_term())
            else:
                terms = self.add(terms, sign)
            if self.peek().text not in {"+", "-"}:
                return terms
            sign = self.next().text

    def add(self, terms: list[Term], sign: str) -> list[Term]:
        if self.peek().kind == "number":
            value = self.next().text
            if value not in {"0", "1"}:
                raise self.error(
                    f"the number {value} is no predictor; only 0 and 1 may stand alone"
                )
            keep = (value == "1") == (sign == "+")
            rest = [term for term in terms if term != ()]
            return [(), *rest] if keep else rest
        new = self.product()
        if sign == "-":
            away = {frozenset(term) for term in new}
            return [term for term in terms if frozenset(term) not in away]
        return unique([*terms, *new])

    def product(self) -> list[Term]:
        left = self.interaction()
        while self.peek().text in {"*", "/"}:
            if self.next().text == "/":
                raise self.error(
                    "a/b is only for nested groups; write a + a:b, or I(a/b) to divide"
                )
            right = self.interaction()
            left = unique([*left, *right, *crossed(left, right)])
        return left

    def interaction(self) -> list[Term]:
        left = self.power()
        while self.peek().text == ":":
            self.next()
            left = crossed(left, self.power())
        return left

    def power(self) -> list[Term]:
        base = self.atom()
        if self.peek().text != "^":
            return base
        self.next()
        token = self.next()
        if token.kind != "number" or not token.text.isdigit() or int(token.text) < 1:
            raise self.error("a power of terms is a whole number; for a square write I(x^2)")
        result = base
        for _ in range(int(token.text) - 1):
            result = unique([*result, *crossed(result, base)])
        return result

    def atom(self) -> list[Term]:
        if self.peek().text == "(" and self.peek().kind == "sign":
            if self.has_bar():
                raise self.error("a random term stands on its own, joined by +")
            self.next()
            inner = self.total([])
            self.expect(")")
            return inner
        variable = self.variable()
        if isinstance(variable, Call) and variable.function == "offset":
            self.offsets.append(variable.arguments[0])
            return []
        if isinstance(variable, Call) and variable.function == "cbind":
            raise self.error("cbind() is an outcome; it cannot be a predictor")
        return [(variable,)]

    # random terms --------------------------------------------------------------------------

    def has_bar(self) -> bool:
        """Whether the parenthesis that opens here holds a bar at its own level."""
        if self.peek().text != "(":
            return False
        depth = 0
        for token in self.tokens[self.at :]:
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0:
                return False
            if depth == 1 and token.text in {"|", "||"}:
                return True
        return False

    def random_term(self) -> list[RandomTerm]:
        self.expect("(")
        terms = self.total([()])
        bar = self.next().text
        if bar not in {"|", "||"}:
            raise self.error("a random term reads (1 + x | school)")
        slopes = ordered(terms)
        if self.peek().text == "mm" and self.peek(1).text == "(":
            group, weights = self.multiple_membership()
            made = [RandomTerm(slopes, () in terms, bar == "|", group, True, weights)]
        else:
            made = [RandomTerm(slopes, () in terms, bar == "|", g) for g in self.groups()]
        self.expect(")")
        if not terms:
            raise self.error("a random term needs an intercept or a slope left of the bar")
        return made

    def groups(self) -> list[tuple[str, ...]]:
        levels = [self.group()]
        while self.peek().text == "/":
            self.next()
            levels.append((*self.group(), *levels[-1]))
        return levels

    def group(self) -> tuple[str, ...]:
        names = [self.group_name()]
        while self.peek().text == ":":
            self.next()
            names.append(self.group_name())
        return tuple(names)

    def group_name(self) -> str:
        token = self.next()
        if token.text in {"C", "factor"} and self.peek().text == "(":
            self.next()
            name = self.group_name()
            self.expect(")")
            return name
        if token.kind != "name" or self.peek().text == "(":
            raise self.error("right of the bar stands a column, a/b for nesting, or a:b")
        return token.text

    def multiple_membership(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Read mm(s1, s2, weights=(w1, w2)): the columns of the groups, those of the weights."""
        self.next()
        self.expect("(")
        names = [self.group_name()]
        weights: list[str] = []
        while self.peek().text == ",":
            self.next()
            if self.peek().text == "weights" and self.peek(1).text == "=":
                self.at += 2
                self.expect("(")
                weights = [self.group_name()]
                while self.peek().text == ",":
                    self.next()
                    weights.append(self.group_name())
                self.expect(")")
                break
            names.append(self.group_name())
        self.expect(")")
        if len(names) < 2 or len(set(names)) < len(names):
            raise self.error("mm() takes two or more different columns of groups")
        if weights and len(weights) != len(names):
            raise self.error(
                f"mm() has {len(names)} columns of groups and {len(weights)} of weights; give one "
                "weight for each"
            )
        return tuple(names), tuple(weights)

    # variables, calls and arithmetic -------------------------------------------------------

    def variable(self) -> Expression:
        token = self.peek()
        if token.kind != "name":
            raise self.error(f"{self.shown(token)} cannot stand here")
        if self.peek(1).text == "(" and not token.quoted:
            return self.call()
        self.next()
        return ColumnRef(token.text)

    def call(self) -> Call:
        name = self.next().text
        if name not in FUNCTIONS:
            raise self.error(f"{name}() is not a function of the language")
        self.expect("(")
        arguments = [self.arithmetic()]
        while self.peek().text == ",":
            self.next()
            arguments.append(self.arithmetic())
        self.expect(")")
        needed = FUNCTIONS[name]
        if len(arguments) != needed:
            raise self.error(f"{name}() takes {needed} argument{'s' if needed > 1 else ''}")
        if name in {"C", "factor"} and not isinstance(arguments[0], ColumnRef):
            raise self.error(f"{name}() takes the name of a column")
        if name in {"within", "between"} and not isinstance(arguments[1], ColumnRef):
            raise self.error(f"{name}(x, g) takes the name of the group's column second")
        return Call(name, tuple(arguments))

    def arithmetic(self) -> Expression:
        left = self.factor()
        while self.peek().text in {"+", "-"}:
            operator = self.next().text
            left = Arithmetic(operator, (left, self.factor()))
        return left

    def factor(self) -> Expression:
        left = self.signed()
        while self.peek().text in {"*", "/"}:
            operator = self.next().text
            left = Arithmetic(operator, (left, self.signed()))
        return left

    def signed(self) -> Expression:
        if self.peek().text == "-":
            self.next()
            return Arithmetic("-", (self.signed(),))
        base = self.operand()
        if self.peek().text == "^":
            self.next()
            return Arithmetic("^", (base, self.signed()))
        return base

    def operand(self) -> Expression:
        token = self.peek()
        if token.kind == "number":
            self.next()
            return Number(float(token.text))
        if token.text == "(":
            self.next()
            inner = self.arithmetic()
            self.expect(")")
            return Arithmetic("()", (inner,))
        inner = self.variable()
        if isinstance(inner, Call) and inner.function in {"C", "factor", "offset", "cbind"}:
            raise self.error(f"{inner.function}() cannot be calculated with")
        return inner

    # tokens --------------------------------------------------------------------------------

    def peek(self, ahead: int = 0) -> _Token:
        index = self.at + ahead
        return self.tokens[index] if index < len(self.tokens) else _Token("end", "")

    def next(self) -> _Token:
        token = self.peek()
        self.at += 1
        return token

    def sign_or(self, default: str) -> str:
        return self.next().text if self.peek().text in {"+", "-"} else default

    def expect(self, sign: str) -> None:
        token = self.next()
        if token.text != sign:
            raise self.error(f"{sign!r} is expected where {self.shown(token)} stands")

    def expect_end(self) -> None:
        if self.peek().kind != "end":
            raise self.error(f"{self.shown(self.peek())} cannot stand here")

    def shown(self, token: _Token) -> str:
        return "the end" if token.kind == "end" else repr(token.text)

    def error(self, problem: str) -> FormulaError:
        return FormulaError(self.text, f"{problem}. {LANGUAGE}")


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while match := _TOKEN.match(text, position):
        position = match.end()
        kind = str(match.lastgroup)
        if kind == "quoted":
            yield _Token("name", match["quoted"], quoted=True)
        else:
            yield _Token(kind, match[kind])
