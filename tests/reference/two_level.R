# Two-level models that are not in the gold files: one level saturated (Ryu & West, 2009),
# variables on one level only, and lavaan's unrestricted model with its EM run to the end.
# Run from tests/reference: Rscript two_level.R
suppressMessages(library(lavaan))
library(jsonlite)
data <- read.csv("data/bhr2000.csv")
items <- c("AF06", "AF07", "AP12", "AS14", "AS16", "AS28")

factor_of <- function(x) paste("f =~", paste(x, collapse = " + "))
free <- function(x) {
  lines <- c()
  for (i in seq_along(x)) lines <- c(lines, paste(x[i], "~~", paste(x[i:length(x)], collapse = " + ")))
  paste(lines, collapse = "\n")
}
alone <- function(x) paste(x, "~~", x, collapse = "\n")
fit <- function(within, between, ...) {
  cfa(paste("level: 1\n", within, "\nlevel: 2\n", between), data, cluster = "GRP", ...)
}
pieces <- function(x) {
  h1 <- lavaan:::lav_mvnorm_cluster_em_sat(
    x@SampleStats@YLp[[1]], x@Data@Lp[[1]], verbose = FALSE, tol = 1e-11, max.iter = 1e5
  )
  p <- parameterEstimates(x)
  p <- p[, c("lhs", "op", "rhs", "block", "est", "se")]
  base <- lavaan:::lav_object_independence(x)
  list(
    logl = x@loglik$loglik, npar = x@Fit@npar, converged = x@optim$converged,
    unrestricted_logl = h1$logl,
    between = h1$Sigma.B, baseline_logl = base@loglik$loglik, baseline_npar = base@Fit@npar,
    baseline_converged = base@optim$converged, estimates = p
  )
}
logl <- function(within, between) {
  x <- fit(within, between, se = "none", test = "none", baseline = FALSE, h1 = FALSE)
  list(logl = x@loglik$loglik, npar = x@Fit@npar, converged = x@optim$converged)
}

# B saturated is not bounded in lavaan: it is indefinite here under `within`, and with no covariances
# within there is no maximum at all, so that this baseline is left out.
level_specific <- list(
  within = logl(factor_of(items), free(items)),
  between = logl(free(items), factor_of(items)),
  between_baseline = logl(free(items), alone(items))
)

data$size <- ave(data$GRP, data$GRP, FUN = length) / 100
data$own <- data$AF07 - ave(data$AF07, data$GRP)
four <- c("AF06", "AP12", "AS14", "AS16")
one_level <- pieces(fit(
  factor_of(c(four, "own")),
  paste(factor_of(four), "size ~~ f", "size ~~ size", "size ~ 1", sep = "\n")
))
covariate <- pieces(fit(
  paste(factor_of(four), "f ~ own", sep = "\n"),
  paste(factor_of(four), "f ~ size", sep = "\n")
))
# nlminb stops early here; BFGS goes on to the maximum.
to_the_end <- list(reltol = 1e-16, maxit = 5000)
whole <- pieces(fit(factor_of(items), factor_of(items), optim.method = "BFGS", control = to_the_end))
robust <- fit(factor_of(items), factor_of(items), optim.method = "BFGS", control = to_the_end,
              estimator = "MLR", test = "none", baseline = FALSE, h1 = FALSE)
whole$robust_se <- parameterEstimates(robust)$se
small <- data[data$GRP %in% unique(data$GRP)[1:12], ]
data <- small
few <- pieces(fit(factor_of(four), alone(four)))

writeLines(
  toJSON(
    list(
      versions = list(R = as.character(getRversion()), lavaan = as.character(packageVersion("lavaan"))),
      level_specific = level_specific, one_level = one_level, covariate = covariate,
      whole = whole, few = few
    ),
    digits = 14, auto_unbox = TRUE, na = "null", dataframe = "columns"
  ),
  "two_level.json"
)
