# Fit indices of lavaan that the gold files lack: shifted and adjusted chi-squares of complete
# continuous answers, and full information ML with a covariate.
#
#   Rscript tests/reference/fit_indices.R     # from the top of the repository; writes fit_indices.json
#
# lavaan 0.6.14, R 4.2.

suppressMessages({library(lavaan); library(jsonlite)})
folder <- "tests/reference/data"
hs <- read.csv(file.path(folder, "hs1939.csv"))
bfi <- read.csv(file.path(folder, "bfi.csv"))
model <- "visual =~ x1 + x2 + x3
textual =~ x4 + x5 + x6
speed =~ x7 + x8 + x9"

described <- function(fit) {
  tested <- function(one) {
    second <- one[[2]]
    list(statistic = one[[1]]$stat, df = one[[1]]$df, kind = second$test, scaled = second$stat,
         scaled_df = second$df, p_value = second$pvalue, factor = second$scaling.factor,
         shift = if (is.null(second$shift.parameter)) 0 else second$shift.parameter)
  }
  list(n = fit@SampleStats@ntotal, groups = fit@Data@ngroups, test = tested(fit@test),
       baseline = tested(fit@baseline$test),
       fit = as.list(suppressWarnings(fitMeasures(fit))))
}
missing <- function(...) {
  fit <- sem("agree =~ A1 + A2 + A3 + A4 + A5
agree ~ age", bfi, missing = "fiml", ...)
  kind <- if (length(fit@test) > 1) "V3" else "V6"
  list(corrected = lavaan:::lav_fit_fiml_corrected(fit, kind), fit = as.list(fitMeasures(fit)))
}
out <- list(
  mlmv = described(cfa(model, hs, estimator = "MLMV")),
  mlmvs = described(cfa(model, hs, estimator = "MLMVS")),
  mlmv_groups = described(cfa(model, hs, estimator = "MLMV", group = "school")),
  fiml_covariate = missing(),
  fiml_mlr_covariate = missing(estimator = "MLR")
)
write_json(out, "tests/reference/fit_indices.json", digits = 15, auto_unbox = TRUE,
           pretty = TRUE, na = "null")
