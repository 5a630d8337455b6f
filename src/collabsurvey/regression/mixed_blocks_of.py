"""A fitted mixed model as its blocks again: what profiles, bootstraps and refits start from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from collabsurvey.errors import NotSupportedError, OptionError
from collabsurvey.numerics.kenward_roger import KenwardRoger, kenward_roger
from collabsurvey.numerics.mixed import GroupProducts, MixedFit
from collabsurvey.numerics.mixed_blocks import BlockProducts, Lowers, df_total, fit_blocks
from collabsurvey.numerics.profile_deviance import ProfileModel, as_blocks
from collabsurvey.numerics.random_systems import (
    MOST_EFFECTS,
    effect_systems,
    relative_elements,
    too_many_effects,
)
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.mixed_result import MixedResult, unique_labels


@dataclass(frozen=True, eq=False)
class Piece:
    """Random effects that are correlated with each other, and where the kernel has them."""

    group: str  # numbered as lme4 does
    names: tuple[str, ...]
    block: int
    columns: slice  # of the block


@dataclass(frozen=True, eq=False)
class FittedBlocks:
    """A model by REML or maximum likelihood; the outcome in units of the result's `e_scale`."""

    products: BlockProducts
    lowers: Lowers
    sigma2: float
    beta: FloatArray  # (p,) on Q, without the least squares part
    criterion: float  # of e on Q
    scales: tuple[FloatArray, ...]  # (q, q) of each block: effects of the data from those of Z*
    pieces: tuple[Piece, ...]  # in the order of `variance_components`
    correction: float  # -2 log-likelihood of the data less the criterion

    @property
    def minus2(self) -> float:
        """-2 log-likelihood (or REML criterion) of the outcome."""
        return self.criterion + self.correction

    @property
    def model(self) -> ProfileModel:
        """For profiles."""
        return ProfileModel(self.products, self.scales)

    def covariances(self, lowers: Lowers, sigma2: FloatArray) -> list[FloatArray]:
        """Covariance (R, q, q) of each piece, from L (R, q, q) of each block and sigma^2 (R,)."""
        found = []
        for piece in self.pieces:
            cut = lowers[piece.block][:, piece.columns, piece.columns]
            root = self.scales[piece.block][piece.columns, piece.columns] @ cut
            found.append(root @ root.transpose(0, 2, 1) * sigma2[:, None, None])
        return found


def fitted_blocks(result: MixedResult, *, reml: bool | None = None) -> FittedBlocks:
    """The model as fitted; with `reml` other than its own it is fitted again, without its rows."""
    optimiser = result.optimiser
    products = blocks_of(result)
    lowers = (optimiser.lower,) if isinstance(optimiser, MixedFit) else optimiser.lowers
    at, sigma2 = optimiser.at, optimiser.sigma2
    minus2 = -2 * float(result.fit["loglik"])
    # What does not depend on the criterion: the weights of the rows.
    of_weights = minus2 - at.criterion - _units(result, products)
    if reml is not None and reml != result.reml:
        products = replace(products, reml=reml)  # type: ignore[type-var]
        again = fit_blocks(products)
        lowers, at, sigma2 = again.lowers, again.at, again.sigma2
    return FittedBlocks(
        products=products,
        lowers=lowers,
        sigma2=sigma2,
        beta=at.beta,
        criterion=at.criterion,
        scales=_scales(result, products),
        pieces=_pieces(result, products),
        correction=of_weights + _units(result, products),
    )


def blocks_of(result: MixedResult) -> BlockProducts:
    """The products of a result as products of blocks."""
    result.require_plain_residuals("A profile, bootstrap or comparison")
    if isinstance(result.products, GroupProducts):
        return as_blocks(result.products, correlated=result.parts[0].term.correlated)
    return result.products


def kenward_roger_of(result: MixedResult) -> KenwardRoger:
    """Kenward and Roger's covariance and df of a REML fit, on the basis of its coefficients."""
    if not result.reml:
        raise OptionError(
            "df_method", "kenward-roger", allowed=("satterthwaite", "z", "a fit with reml=True")
        )
    products = blocks_of(result)
    if effects := too_many_effects(products):
        raise NotSupportedError(
            f"Kenward-Roger with {effects} effects of crossed factors",
            instead=f"At most {MOST_EFFECTS} are possible; use Satterthwaite df.",
        )
    optimiser = result.optimiser
    lowers = (optimiser.lower,) if isinstance(optimiser, MixedFit) else optimiser.lowers
    return kenward_roger(
        effect_systems(products),
        relative_elements(products.patterns, lowers),
        optimiser.at.unscaled,
        n_rows=products.n_rows,
        sigma2=optimiser.sigma2 * result.e_scale**2,
    )


def with_kenward_roger(result: MixedResult) -> MixedResult:
    """Replace covariance and df of the coefficients by Kenward and Roger's."""
    found = kenward_roger_of(result)
    covariance = result.basis @ found.covariance @ result.basis.T
    return replace(
        result,
        covariance=(covariance + covariance.T) / 2,
        df=found.df(result.basis),
        kenward_roger=found,
    )


def _units(result: MixedResult, products: BlockProducts) -> float:
    """What the scale of the outcome, and for REML the basis, add to the criterion."""
    found = df_total(products) * 2 * float(np.log(result.e_scale))
    if products.reml:
        found -= 2 * float(np.linalg.slogdet(result.basis)[1])
    return found


def _scales(result: MixedResult, products: BlockProducts) -> tuple[FloatArray, ...]:
    found = [np.eye(pattern.n_random) for pattern in products.patterns]
    for part, (block, cut) in zip(result.parts, _places(result, products), strict=True):
        found[block][cut, cut] = part.scale
    return tuple(found)


def _pieces(result: MixedResult, products: BlockProducts) -> tuple[Piece, ...]:
    found: list[tuple[str, tuple[str, ...], int, slice]] = []
    for part, (block, cut) in zip(result.parts, _places(result, products), strict=True):
        if part.term.correlated:
            found.append((part.group, part.terms, block, cut))
            continue
        for j, name in enumerate(part.terms, start=cut.start):
            found.append((part.group, (name,), block, slice(j, j + 1)))
    labels = unique_labels([group for group, *_ in found])
    return tuple(
        Piece(label, names, block, cut)
        for label, (_, names, block, cut) in zip(labels, found, strict=True)
    )


def _places(result: MixedResult, products: BlockProducts) -> list[tuple[int, slice]]:
    """Block, and columns in it, of each part of a result.

    A block is the factor that has its number of levels and its terms; of several, the first in the
    formula, and for the block that is eliminated first one of ordinary groups.
    """
    if len(result.parts) == 1:
        return [(0, slice(0, products.patterns[0].n_random))]
    factors = _factors(result)
    found: dict[int, tuple[int, slice]] = {}
    for block, (pattern, n_levels) in enumerate(
        zip(products.patterns, _levels(products), strict=True)
    ):
        fits = [
            factor
            for factor in factors
            if len(result.parts[factor[0]].names) == n_levels
            and tuple(len(result.parts[i].terms) for i in factor) == pattern.sizes
        ]
        plain = [f for f in fits if not result.parts[f[0]].term.multiple_membership]
        chosen = (plain or fits)[0]
        factors.remove(chosen)
        found |= {i: (block, cut) for i, cut in zip(chosen, pattern.terms, strict=True)}
    return [found[i] for i in range(len(result.parts))]


def _factors(result: MixedResult) -> list[list[int]]:
    """Parts of each grouping factor, both in the order of the formula."""
    written = [term for random in result.encoding.formula.random for term in random.single_terms()]
    order = sorted(range(len(result.parts)), key=lambda i: written.index(result.parts[i].term))
    by_factor: dict[tuple[object, ...], list[int]] = {}
    for i in order:
        term = result.parts[i].term
        key = (term.group, term.multiple_membership, term.membership_weights)
        by_factor.setdefault(key, []).append(i)
    return list(by_factor.values())


def _levels(products: BlockProducts) -> list[int]:
    """Number of levels of each block."""
    return [len(diagonal) for diagonal, _ in products.moments()]
