# Linear mixed models of nlme with correlated residuals (corAR1 with and without gaps, corCAR1) and a
# residual variance by wave (varIdent): estimates, log-likelihoods and approximate intervals. Run from
# this folder: Rscript residual_structures.R; writes residual_structures.json.
suppressMessages({library(nlme); library(jsonlite)})
sleep <- read.csv("data/sleepstudy.csv")
sleep$moment <- sleep$Days * (sleep$Days + 3) / 4 # uneven times, gaps that are not whole
sleep$late <- ifelse(sleep$Days > 6, "late", "early")
jobs <- read.csv("data/univbct_long.csv")
jobs <- jobs[!is.na(jobs$JSAT), ]
control <- lmeControl(maxIter = 500, msMaxIter = 500, niterEM = 50, msMaxEval = 2000, tolerance = 1e-12,
                      msTol = 1e-13, opt = "nlminb", returnObject = TRUE)
one <- function(formula, data, residual, model, random, correlation = NULL, weights = NULL, reml = TRUE) {
  fit <- eval(bquote(lme(.(model), random = .(random), data = get(data), correlation = correlation,
                         weights = weights, na.action = na.omit, method = .(if (reml) "REML" else "ML"), control = control)))
  table <- summary(fit)$tTable
  limits <- intervals(fit, which = "var-cov")
  ratios <- if (is.null(weights)) NULL else coef(fit$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)
  phi <- if (is.null(correlation)) NULL else unname(coef(fit$modelStruct$corStruct, unconstrained = FALSE))
  variances <- getVarCov(fit)
  list(formula = formula, data = data, residual = residual, reml = reml,
       estimate = unname(table[, "Value"]), std_error = unname(table[, "Std.Error"]), df = unname(table[, "DF"]),
       loglik = as.numeric(logLik(fit)), n_parameters = attr(logLik(fit), "df"), aic = AIC(fit), sigma = fit$sigma,
       random = unname(matrix(as.numeric(variances), nrow(variances))),
       phi = phi, phi_limits = if (is.null(phi)) NULL else unname(limits$corStruct[1, c("lower", "upper")]),
       ratios = if (is.null(ratios)) NULL else as.list(ratios), sigma_limits = unname(limits$sigma[c("lower", "upper")]),
       fitted = unname(head(fitted(fit, level = 1), 6)))
}
found <- list(
  gaps_ignored = one("JSAT ~ TIME + (1 | SUBNUM)", "jobs", "ar1(TIME, gaps=ignored)", JSAT ~ TIME, ~ 1 | SUBNUM,
                     corAR1(form = ~ 1 | SUBNUM)),
  gaps_counted = one("JSAT ~ TIME + (1 | SUBNUM)", "jobs", "ar1(TIME)", JSAT ~ TIME, ~ 1 | SUBNUM,
                     corAR1(form = ~ TIME | SUBNUM)),
  by_wave = one("JSAT ~ TIME + (1 | SUBNUM)", "jobs", "by(TIME)", JSAT ~ TIME, ~ 1 | SUBNUM,
                weights = varIdent(form = ~ 1 | TIME)),
  both = one("JSAT ~ TIME + (1 | SUBNUM)", "jobs", "ar1(TIME) + by(TIME)", JSAT ~ TIME, ~ 1 | SUBNUM,
             corAR1(form = ~ TIME | SUBNUM), varIdent(form = ~ 1 | TIME)),
  both_ml = one("JSAT ~ TIME + AGE + (1 | SUBNUM)", "jobs", "ar1(TIME) + by(TIME)", JSAT ~ TIME + AGE, ~ 1 | SUBNUM,
                corAR1(form = ~ TIME | SUBNUM), varIdent(form = ~ 1 | TIME), reml = FALSE),
  slope = one("Reaction ~ Days + (Days | Subject)", "sleep", "by(late)", Reaction ~ Days, ~ Days | Subject,
              weights = varIdent(form = ~ 1 | late)),
  uncorrelated = one("Reaction ~ Days + (Days || Subject)", "sleep", "ar1(Days) + by(late)", Reaction ~ Days,
                     list(Subject = pdDiag(~ Days)), corAR1(form = ~ Days | Subject), varIdent(form = ~ 1 | late)),
  continuous = one("Reaction ~ Days + (1 | Subject)", "sleep", "ar1(moment)", Reaction ~ Days, ~ 1 | Subject,
                   corCAR1(form = ~ moment | Subject))
)
out <- list(program = paste0(R.version.string, "; nlme ", packageVersion("nlme")), fits = found)
write_json(out, "residual_structures.json", digits = 14, auto_unbox = TRUE, matrix = "rowmajor", null = "null")
