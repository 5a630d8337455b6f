# Mixed models with several random terms and with multiple membership: lme4 and lmerTest on data
# simulated here. Writes mixed_several.json and data/mixed_several.csv.
#
#     cd tests/reference && Rscript mixed_several.R
#
# Multiple membership has no place in lme4's formulas: the transposed random-effects matrix Zt of a
# model for the first school alone is replaced by the weighted sum over the schools of a row.
suppressMessages({library(lme4); library(lmerTest); library(Matrix); library(jsonlite)})

set.seed(20240607)
n <- 900
school <- sample(1:40, n, TRUE)
class <- paste0(school, "_", sample(1:4, n, TRUE))
rater <- sample(1:15, n, TRUE)
track <- sample(c("p", "q", "r"), n, TRUE)
x <- rnorm(n) + 0.3 * (school %% 3)
z <- rnorm(n, 50, 10)
w <- runif(n, 0.3, 3)
u <- matrix(rnorm(80), 40) %*% chol(matrix(c(0.5, 0.2, 0.2, 0.3), 2))
v <- rnorm(160, 0, 0.5)
names(v) <- paste0(rep(1:40, each = 4), "_", 1:4)
r <- matrix(rnorm(30, 0, 0.4), 15)
# a second school for some, with hours in each
second <- ifelse(runif(n) < 0.45, sample(1:40, n, TRUE), NA)
h1 <- sample(5:20, n, TRUE)
h2 <- ifelse(is.na(second), NA, sample(1:15, n, TRUE))
share <- ifelse(is.na(second), 0, h2 / (h1 + h2))
other <- ifelse(is.na(second), 1, second)
intercept <- (1 - share) * u[school, 1] + share * u[other, 1]
slope <- (1 - share) * u[school, 2] + share * u[other, 2]
y <- 2 + 0.5 * x + 0.02 * z + intercept + slope * x + v[class] + r[rater, 1] +
  r[rater, 2] * (z - 50) / 10 + rnorm(n) / sqrt(w)
d <- data.frame(y = round(y, 4), x = round(x, 4), z = round(z, 3), w = round(w, 3), school, class,
                rater, track, second, h1, h2)
write.csv(d, "data/mixed_several.csv", row.names = FALSE, na = "")

# Iterated far beyond the defaults; where one optimiser stops early the other's fit counts.
controls <- list(
  lmerControl(optimizer = "nloptwrap", calc.derivs = FALSE,
              optCtrl = list(xtol_abs = 1e-13, ftol_abs = 1e-15, xtol_rel = 1e-13, maxeval = 1e5)),
  lmerControl(optimizer = "bobyqa", calc.derivs = FALSE,
              optCtrl = list(rhobeg = 0.3, rhoend = 1e-11, maxfun = 1e5)))
better <- function(fits) fits[[which.max(sapply(fits, logLik))]]
quiet <- function(code) suppressWarnings(suppressMessages(code))

stored <- function(m, formula, reml, weighted) {
  s <- quiet(coef(summary(m)))
  v <- as.data.frame(VarCorr(m))
  b <- as.data.frame(ranef(m, condVar = TRUE))
  b <- b[seq(1, nrow(b), by = 17), ]
  list(formula = formula, reml = reml, weighted = weighted, loglik = as.numeric(logLik(m)),
       aic = AIC(m), bic = BIC(m), group = v$grp, vcov = v$vcov, sdcor = v$sdcor,
       theta = unname(getME(m, "theta")), estimate = unname(s[, "Estimate"]),
       std_error = unname(s[, "Std. Error"]), df = unname(s[, "df"]), p_value = unname(s[, 5]),
       singular = isSingular(m), fitted = unname(fitted(m)[1:8]),
       ranef = list(group = as.character(b$grpvar), term = as.character(b$term),
                    level = as.character(b$grp), estimate = b$condval, sd = b$condsd))
}

formulas <- c(
  "y ~ x + z + (1 | school/class)",
  "y ~ x + z + (x | school) + (1 | class)",
  "y ~ x + z + (x | school/class)",
  "y ~ x + (1 | school) + (0 + x | school)",
  "y ~ x + z + (1 | school) + (0 + x | school) + (1 | rater)",
  "y ~ x + z + (x || school) + (z | rater)",
  "y ~ x + z + track + (1 | class) + (x | school) + (z | rater)",
  "y ~ x * track + (track | school) + (1 | rater)")
models <- list()
for (formula in formulas) for (reml in c(TRUE, FALSE)) for (weighted in c(TRUE, FALSE)) {
  if (weighted != reml) next  # REML with weights, maximum likelihood without
  f <- as.formula(formula)
  m <- better(lapply(controls, function(control) quiet(
    if (weighted) lmer(f, d, REML = reml, weights = w, control = control)
    else lmer(f, d, REML = reml, control = control))))
  models[[length(models) + 1]] <- stored(m, formula, reml, weighted)
}

# multiple membership
member <- function(levels, first, second, w1, w2) {
  add <- function(s, w) sparseMatrix(match(s, levels), seq_along(s), x = w,
                                     dims = c(length(levels), length(s)))
  there <- !is.na(second)
  add(first, w1) + sparseMatrix(match(second[there], levels), which(there), x = w2[there],
                                dims = c(length(levels), length(first)))
}
with_members <- function(formula, Zt_of, reml, weighted) {
  d$s <- factor(d$school)
  lf <- if (weighted) lFormula(formula, d, REML = reml, weights = w)
        else lFormula(formula, d, REML = reml)
  at <- match("s", names(lf$reTrms$flist)[attr(lf$reTrms$flist, "assign")])
  rows <- (lf$reTrms$Gp[at] + 1):lf$reTrms$Gp[at + 1]
  lf$reTrms$Zt[rows, ] <- Zt_of(levels(d$s))
  better(lapply(controls, function(control) {
    devfun <- do.call(mkLmerDevfun, lf)
    opt <- optimizeLmer(devfun, optimizer = control$optimizer, control = control$optCtrl)
    m <- mkMerMod(environment(devfun), opt, lf$reTrms, fr = lf$fr)
    quiet(lmerTest:::as_lmerModLT(m, devfun))
  }))
}
halves <- function(levels) {
  two <- !is.na(d$second)
  member(levels, d$school, d$second, ifelse(two, 0.5, 1), rep(0.5, n))
}
hours <- function(levels) {
  w2 <- ifelse(is.na(d$second), 0, d$h2 / (d$h1 + d$h2))
  member(levels, d$school, d$second, 1 - w2, w2)
}
slopes <- function(levels) {
  Z <- hours(levels)
  both <- rbind(Z, Z %*% Diagonal(x = d$x))
  both[as.vector(rbind(seq_along(levels), length(levels) + seq_along(levels))), ]
}
mm <- list(
  list("y ~ x + (1 | mm(school, second))", y ~ x + (1 | s), halves),
  list("y ~ x + (1 | mm(school, second, weights=(h1, h2)))", y ~ x + (1 | s), hours),
  list("y ~ x + (x | mm(school, second, weights=(h1, h2)))", y ~ x + (x | s), slopes),
  list("y ~ x + z + (x | mm(school, second, weights=(h1, h2))) + (z | rater)",
       y ~ x + z + (x | s) + (z | rater), slopes))
for (case in mm) for (reml in c(TRUE, FALSE)) {
  m <- with_members(case[[2]], case[[3]], reml, weighted = reml)
  models[[length(models) + 1]] <- stored(m, case[[1]], reml, reml)
}

versions <- list(R = as.character(getRversion()), lme4 = as.character(packageVersion("lme4")),
                 lmerTest = as.character(packageVersion("lmerTest")))
write(toJSON(list(versions = versions, models = models), digits = 13, auto_unbox = TRUE, na = "null"),
      "mixed_several.json")
