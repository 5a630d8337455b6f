# Factor scores, residuals and R-squared of lavaan beyond the gold files: gaps, higher orders,
# regressions, groups, ordered items.
#
#   Rscript tests/reference/sem_scores.R     # from the top of the repository; writes sem_scores.json
#
# lavaan 0.6.14, R 4.2. Optimisers run further than usual, so that differences are not rounding.
# lavaan finds posterior modes of ordered items by optim (good to some 1e-6); `mode` is from nlminb
# and Newton's method on the same function, `eap` from a grid of 241 x 241 points.

suppressMessages({library(lavaan); library(jsonlite)})
folder <- "tests/reference/data"
hs <- read.csv(file.path(folder, "hs1939.csv"))
bfi <- read.csv(file.path(folder, "bfi.csv"))
model <- "visual =~ x1 + x2 + x3
textual =~ x4 + x5 + x6
speed =~ x7 + x8 + x9"
fitted <- function(text, data, ..., tolerance = 1e-12) {
  fit <- suppressWarnings(sem(text, data, control = list(rel.tol = tolerance), ...))
  if (!fit@Model@eq.constraints) stopifnot(max(abs(lavTech(fit, "gradient"))) < 5e-6)
  fit
}
plain <- function(x) unname(unclass(as.matrix(x)))
scores <- function(fit, rows) {
  out <- list(rows = rows)
  for (method in c("regression", "Bartlett")) {
    found <- lavPredict(fit, method = method, se = "standard")
    se <- attr(found, "se")[[1]]
    if (nrow(se) == 1) se <- se[rep(1, nrow(found)), , drop = FALSE]
    out[[tolower(method)]] <- list(values = plain(found)[rows, ], se = plain(se)[rows, ])
  }
  out
}

ac <- c(paste0("A", 1:5), paste0("C", 1:5))
gaps <- which(apply(is.na(bfi[, ac]), 1, any))
fiml <- fitted("agree =~ A1 + A2 + A3 + A4 + A5
consc =~ C1 + C2 + C3 + C4 + C5", bfi, missing = "fiml", tolerance = 1e-10)
ten <- 1:10
paths <- "textual ~ visual
speed ~ textual + visual
visual ~ ageyr"
out <- list(
  fiml = scores(fiml, c(ten, gaps)),
  second_order = scores(fitted(paste(model, "g =~ visual + textual + speed", sep = "\n"), hs), ten),
  mediation = scores(fitted(paste(model, paths, sep = "\n"), hs), ten),
  mediation_means = scores(fitted(paste(model, paths, sep = "\n"), hs, meanstructure = TRUE), ten)
)
strict <- fitted(model, hs, group = "school",
  group.equal = c("loadings", "intercepts", "residuals"))
out$strict_groups <- lapply(lavPredict(strict), function(x) plain(x)[ten, ])

# Residuals
of_blocks <- function(fit, type) {
  found <- suppressWarnings(residuals(fit, type = type))
  if (!is.null(found$cov)) found <- list(found)
  lapply(found, function(one) lapply(one[intersect(names(one), c("cov", "mean", "th"))], plain))
}
described <- function(fit) list(
  raw = of_blocks(fit, "raw"), bollen = of_blocks(fit, "cor.bollen"),
  bentler = of_blocks(fit, "cor.bentler"), standardized = of_blocks(fit, "standardized"))
ne <- c(paste0("N", 1:5), paste0("E", 1:5))
ne_model <- "neuro =~ N1 + N2 + N3 + N4 + N5
extra =~ E1 + E2 + E3 + E4 + E5"
complete <- bfi[complete.cases(bfi[, ne]), ne]
wlsmv <- fitted(ne_model, complete, ordered = ne, estimator = "WLSMV", tolerance = 1e-11)
out$residuals <- list(
  ml = described(fitted(model, hs)),
  means = described(fitted(model, hs, meanstructure = TRUE, tolerance = 1e-14)),
  strict = described(strict),
  mlr = described(fitted(model, hs, estimator = "MLR")),
  strict_mlr = described(fitted(model, hs, estimator = "MLR", group = "school",
    group.equal = c("loadings", "intercepts", "residuals"))),
  gls = described(fitted(model, hs, estimator = "GLS")),
  wlsmv = described(wlsmv),
  mediation = described(fitted(paste(model, paths, sep = "\n"), hs)),
  fiml = described(fiml)
)

# Ordered items
posterior <- function(fit, y) {
  est <- lavInspect(fit, "est")
  cuts <- lapply(ne, function(item) c(-Inf, est$tau[startsWith(rownames(est$tau), paste0(item, "|")), 1], Inf))
  sd <- sqrt(diag(est$theta)); inverse <- solve(lavInspect(fit, "cov.lv"))
  function(eta) {
    fit <- drop(est$lambda %*% eta)
    total <- -0.5 * drop(eta %*% inverse %*% eta)
    for (i in which(!is.na(y))) {
      a <- (cuts[[i]][y[i]] - fit[i]) / sd[i]; b <- (cuts[[i]][y[i] + 1] - fit[i]) / sd[i]
      total <- total + log(if (a > 0) pnorm(-a) - pnorm(-b) else pnorm(b) - pnorm(a))
    }
    total
  }
}
slope <- function(f, x, h = 1e-4) sapply(1:2, function(j) {
  d <- h * (1:2 == j); (8 * (f(x + d) - f(x - d)) - (f(x + 2 * d) - f(x - 2 * d))) / (12 * h)})
mode_of <- function(f) {
  x <- nlminb(c(0, 0), function(x) -f(x), control = list(rel.tol = 1e-14))$par
  for (i in 1:3) { curve <- -optimHess(x, f); x <- x + solve(curve, slope(f, x)) }
  list(mode = x, se = sqrt(diag(solve(curve))))
}
eap_of <- function(fit, y) {
  est <- lavInspect(fit, "est"); cov <- unclass(lavInspect(fit, "cov.lv"))
  one <- seq(-6, 6, length.out = 241)
  u <- as.matrix(expand.grid(one, one)); eta <- u %*% chol(cov)
  cuts <- lapply(ne, function(item) c(-Inf, est$tau[startsWith(rownames(est$tau), paste0(item, "|")), 1], Inf))
  sd <- sqrt(diag(est$theta)); log_p <- -0.5 * rowSums(u^2); fit <- eta %*% t(est$lambda)
  for (i in which(!is.na(y)))
    log_p <- log_p + log(pnorm((cuts[[i]][y[i] + 1] - fit[, i]) / sd[i]) - pnorm((cuts[[i]][y[i]] - fit[, i]) / sd[i]) + 1e-300)
  w <- exp(log_p - max(log_p)); w <- w / sum(w); mean <- colSums(w * eta)
  list(mean = mean, sd = sqrt(colSums(w * sweep(eta, 2, mean)^2)))
}
ordinal <- function(fit, data, rows) {
  y <- as.matrix(data)[rows, ]
  modes <- lapply(seq_along(rows), function(r) mode_of(posterior(fit, y[r, ])))
  expected <- lapply(seq_along(rows), function(r) eap_of(fit, y[r, ]))
  list(rows = rows, y = plain(y), 
    mode = t(sapply(modes, `[[`, "mode")), se = t(sapply(modes, `[[`, "se")),
    eap = t(sapply(expected, `[[`, "mean")), sd = t(sapply(expected, `[[`, "sd")))
}
extreme <- which(apply(complete, 1, function(y) all(y[1:5] == 6)))[1:2]
out$wlsmv <- ordinal(wlsmv, complete, c(1:12, extreme))
pairwise <- fitted(ne_model, bfi[, ne], ordered = ne, estimator = "WLSMV", missing = "pairwise",
  parameterization = "theta", std.lv = TRUE, tolerance = 1e-11)
holes <- which(apply(is.na(bfi[, ne]), 1, any))[1:12]
out$theta_pairwise <- ordinal(pairwise, bfi[, ne], holes)

out$rsquare <- list(
  second_order = as.list(lavInspect(fitted(paste(model, "g =~ visual + textual + speed", sep = "\n"), hs), "rsquare")),
  ordered_outcome = as.list(lavInspect(fitted("neuro =~ N1 + N2 + N3 + N4\nE1 ~ neuro",
    complete, ordered = ne[1:6], estimator = "WLSMV", tolerance = 1e-11), "rsquare"))
)
write(toJSON(list(r = R.version.string, lavaan = as.character(packageVersion("lavaan")), values = out),
  digits = 12, auto_unbox = TRUE, na = "null", null = "null"), "tests/reference/sem_scores.json")
