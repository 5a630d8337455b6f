# Robust errors and corrected tests of lavaan beyond the gold files: clusters, weights, covariates,
# several groups, other corrections, difference tests; and Gamma matrices.
#
#   Rscript tests/reference/sem_robust.R     # from the top of the repository; writes sem_robust.json
#
# lavaan 0.6.14, semTools 0.5.6, R 4.2. `table` is the parameter table with estimates; the tests read
# the model from it and evaluate it there, so that it does not matter where nlminb stopped.

suppressMessages({library(lavaan); library(jsonlite)})
folder <- "tests/reference/data"
hs <- read.csv(file.path(folder, "hs1939.csv"))
hs$age <- hs$ageyr + hs$agemo / 12
hs$birth <- hs$ageyr * 100 + hs$agemo
hs$w <- 0.5 + (seq_len(nrow(hs)) %% 5) / 4
hs$w <- hs$w / mean(hs$w)
model <- "visual =~ x1 + x2 + x3
textual =~ x4 + x5 + x6
speed =~ x7 + x8 + x9"
tight <- list(rel.tol = 1e-12)

described <- function(fit) {
  table <- parTable(fit)
  columns <- c("lhs", "op", "rhs", "block", "group", "free", "est", "se", "label", "exo")
  table <- table[table$op != "==" & table$op != ":=", intersect(columns, names(table))]
  out <- list(table = table, n = unname(unlist(fit@SampleStats@nobs)))
  tests <- fit@test
  out$statistic <- tests[[1]]$stat; out$df <- tests[[1]]$df
  if (length(tests) > 1) {
    second <- tests[[2]]
    out$scaled <- second[intersect(names(second), c("test", "stat", "df", "pvalue",
      "scaling.factor", "shift.parameter", "scaling.factor.h1", "scaling.factor.h0",
      "trace.UGamma", "trace.UGamma2"))]
  }
  out
}
settled <- function(text, ...)
  suppressWarnings(cfa(text, control = tight, optim.force.converged = TRUE, ...))
run <- function(..., text = model) described(settled(text, data = hs, ...))

Y <- as.matrix(hs[, c("x1", "x2", "x3", "x4")])
gamma <- lavaan:::lav_samplestats_Gamma
out <- list(
  gamma_means = gamma(Y, meanstructure = TRUE),
  gamma = gamma(Y, meanstructure = FALSE),
  gamma_clusters = gamma(Y, meanstructure = TRUE, cluster.idx = hs$birth),
  gamma_covariates = gamma(Y, meanstructure = TRUE, x.idx = c(2L, 4L), fixed.x = TRUE),
  gamma_normal = lavaan:::lav_samplestats_Gamma_NT(Y, meanstructure = TRUE, rescale = TRUE)
)
out$mlm_groups <- run(estimator = "MLM", group = "school", group.equal = "loadings")
out$mlr_groups <- run(estimator = "MLR", group = "school", group.equal = "loadings")
out$mlmv <- run(estimator = "MLMV", group = "school", group.equal = "loadings")
out$mlmvs <- run(estimator = "MLMVS", group = "school", group.equal = "loadings")
out$mlr_clusters <- run(estimator = "MLR", cluster = "birth")
out$mlm_clusters <- run(estimator = "MLM", cluster = "birth")
out$mlr_weights <- run(estimator = "MLR", sampling.weights = "w")
with_age <- paste(model, "visual ~ age", "textual ~ age", sep = "\n")
out$mlm_covariate <- run(estimator = "MLM", text = with_age)
out$mlr_covariate <- run(estimator = "MLR", text = with_age, meanstructure = TRUE)

difference <- function(free, restricted, method, ...) {
  table <- suppressWarnings(lavTestLRT(free, restricted, method = method, ...))
  out <- list(statistic = table[2, "Chisq diff"], df = table[2, "Df diff"],
              p_value = table[2, "Pr(>Chisq)"])
  if (!is.null(attr(table, "scale"))) out$scale <- attr(table, "scale")[2]
  if (!is.null(attr(table, "shift"))) out$shift <- attr(table, "shift")[2]
  out
}
pair <- function(estimator) {
  fit <- function(equal) settled(model, data = hs, estimator = estimator, group = "school",
                                 group.equal = equal)
  list(free = fit("loadings"), restricted = fit(c("loadings", "intercepts")))
}
mlm <- pair("MLM")
out$restricted_mlm_groups <- described(mlm$restricted)
out$difference_2001 <- difference(mlm$free, mlm$restricted, "satorra.bentler.2001")
out$difference_2010 <- difference(mlm$free, mlm$restricted, "satorra.bentler.2010")
out$difference_2000 <- difference(mlm$free, mlm$restricted, "satorra.2000", scaled.shifted = FALSE)

# The ordinal ladder of the gold file, with the tables of all its steps.
suppressMessages(library(semTools))
bfi <- read.csv(file.path(folder, "bfi.csv"))
items <- paste0("N", 1:5)
bfi <- bfi[complete.cases(bfi[, c(items, "gender")]), ]
bfi$gender <- paste0("g", bfi$gender)
steps <- list(configural = character(0), thresholds = "thresholds",
              metric = c("thresholds", "loadings"),
              scalar = c("thresholds", "loadings", "intercepts"),
              strict = c("thresholds", "loadings", "intercepts", "residuals"))
ladder <- lapply(steps, function(equal) {
  arguments <- list(configural.model = "neuro =~ N1 + N2 + N3 + N4 + N5", data = bfi,
                    ordered = items, parameterization = "theta", ID.fac = "std.lv",
                    ID.cat = "Wu.Estabrook.2016", group = "gender")
  if (length(equal)) arguments$group.equal <- equal
  text <- as.character(do.call(measEq.syntax, arguments))
  settled(text, data = bfi, ordered = items, parameterization = "theta", group = "gender",
          estimator = "WLSMV")
})
out$ordinal <- lapply(ladder, described)
out$ordinal_differences <- lapply(2:5, function(i)
  difference(ladder[[i - 1]], ladder[[i]], "satorra.2000"))
out$ordinal_groups <- lavInspect(ladder[[1]], "group.label")
write_json(out, "tests/reference/sem_robust.json", digits = 15, auto_unbox = TRUE, na = "null",
           dataframe = "columns")
