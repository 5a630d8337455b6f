# Ordinal correlations that gold/03_polychoric_and_tetrachoric.json lacks: items of 2, 3 and 5
# categories, rules for empty cells, lavaan's asymptotic covariances. Run from this folder:
# Rscript polychoric.R; draws data/ordinal_mixed.csv where it is missing, writes polychoric.json.
suppressMessages({library(psych); library(lavaan); library(polycor); library(jsonlite)})

# 160 people, seven items of one factor; `never` and `rare` are seldom chosen together. Column
# `weight` is 1 or 2; `school` has 16 levels; the last items have a few missing answers.
path <- "data/ordinal_mixed.csv"
if (!file.exists(path)) {
  set.seed(20240917)
  n <- 160
  factor <- rnorm(n)
  cut_at <- function(loading, ...) {
    y <- loading * factor + sqrt(1 - loading^2) * rnorm(n)
    findInterval(y, c(...))
  }
  x <- data.frame(
    two = cut_at(.7, .3), never = cut_at(.6, 1.6), rare = cut_at(-.8, 1.3),
    three = 1 + cut_at(.6, -.6, .9), four = 1 + cut_at(.5, -1.2, -.2, 1),
    five = 1 + cut_at(.8, -1.3, -.4, .5, 1.4), skewed = 1 + cut_at(-.7, -.2, .8, 1.5, 2)
  )
  x$three[c(3, 77)] <- NA
  x$skewed[c(12, 77, 130)] <- NA
  x$weight <- 1 + rbinom(n, 1, .3)
  x$school <- rep(1:16, each = 10)
  write.csv(x, path, row.names = FALSE, quote = FALSE)
}
all_rows <- read.csv(path)
items <- c("two", "never", "rare", "three", "four", "five", "skewed")
x <- all_rows[complete.cases(all_rows), items]
binary <- x[c("two", "never", "rare")]
square <- function(m) list(rows = rownames(m), cols = colnames(m), data = unname(unclass(m)))
quiet <- function(call) suppressMessages(suppressWarnings(call))
entries <- list()
add <- function(id, method, values) {
  entries[[length(entries) + 1]] <<- list(id = id, dataset = "ordinal_mixed.csv", method = method, values = values)
}

# lavaan: correlations, errors, thresholds and NACOV / n of a model that leaves all correlations free.
saturated <- function(data, names = colnames(data), ...) {
  pairs <- combn(names, 2)
  model <- paste(pairs[1, ], "~~", pairs[2, ], collapse = "\n")
  quiet(lavaan(model, data, ordered = names, auto.th = TRUE, auto.delta = TRUE, estimator = "WLSMV", ...))
}
lavaan_values <- function(fit, names) {
  gamma <- lavInspect(fit, "gamma") / lavInspect(fit, "nobs")
  stats <- lavInspect(fit, "sampstat")
  table <- parameterEstimates(fit)
  table <- table[table$op == "~~" & table$lhs != table$rhs, c("lhs", "rhs", "est", "se")]
  list(n = lavInspect(fit, "nobs"), rho = square(unclass(stats$cov)), thresholds = as.list(stats$th), se = table,
       acov = square(unclass(gamma)))
}
add("lavaan_mixed", "lavaan saturated, all seven items; gamma / n", lavaan_values(saturated(x), items))
add("lavaan_2x2", "lavaan saturated, items of two answers, one empty cell; gamma / n", lavaan_values(saturated(binary), names(binary)))
add("lavaan_weighted", "lavaan saturated, all seven items, sampling.weights; gamma / n",
    lavaan_values(saturated(all_rows[complete.cases(all_rows), ], items, sampling.weights = "weight")))
add("psych_default", "psych::polychoric(x): items differ in categories, so that psych sets global=FALSE; .5 in empty cells",
    list(rho = square(quiet(polychoric(x, smooth = FALSE))$rho)))
five <- x[c("five", "skewed")]
add("psych_global_false", "psych::polychoric(x, global=FALSE, smooth=FALSE), two items of five answers with empty cells",
    list(rho = square(quiet(polychoric(five, global = FALSE, smooth = FALSE))$rho)))
add("psych_global_true", "psych::polychoric(x, smooth=FALSE), two items of five answers with empty cells",
    list(rho = square(quiet(polychoric(five, smooth = FALSE))$rho)))
add("psych_tetrachoric", "psych::tetrachoric(x, smooth=FALSE), one empty cell, correct=.5",
    list(rho = square(quiet(tetrachoric(binary, smooth = FALSE))$rho), tau = as.list(quiet(tetrachoric(binary, smooth = FALSE))$tau)))
add("psych_tetrachoric_0", "psych::tetrachoric(x, correct=0, smooth=FALSE)",
    list(rho = square(quiet(tetrachoric(binary, correct = 0, smooth = FALSE))$rho)))
pairs <- combn(items, 2, simplify = FALSE)
add("polycor_mixed", "polycor::polychor(x, y, ML=FALSE, std.err=TRUE), each pair",
    list(pairs = lapply(pairs, function(p) {
      fit <- quiet(polychor(x[[p[1]]], x[[p[2]]], std.err = TRUE))
      list(item_1 = p[1], item_2 = p[2], rho = fit$rho, se = sqrt(fit$var[1, 1]), chisq = fit$chisq, df = fit$df)
    })))
writeLines(toJSON(list(
  topic = "polychoric", R = R.version.string,
  versions = lapply(c(psych = "psych", lavaan = "lavaan", polycor = "polycor", jsonlite = "jsonlite"), function(p) as.character(packageVersion(p))),
  script = "tests/reference/polychoric.R", entries = entries
), digits = NA, auto_unbox = TRUE, null = "null"), "polychoric.json")
