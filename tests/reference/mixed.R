# Ordered items together with continuous variables: lavaan's moments with their asymptotic
# covariances, and models by weighted least squares. Run from this folder: Rscript mixed.R; writes
# mixed.json. bfi: the first 600 rows, items N1 to N5 with age and education. hs1939: x4, x5 and x6
# are cut at `cuts`, the other tests stay as they are.
suppressMessages({library(lavaan); library(jsonlite)})
bfi <- read.csv("data/bfi.csv")[1:600, c(paste0("N", 1:5), "age", "education", "gender")]
bfi$weight <- 1 + (seq_len(600) %% 3)
hs <- read.csv("data/hs1939.csv")
cuts <- list(x4 = c(2, 3, 4), x5 = c(3.5, 5), x6 = 2)
for (name in names(cuts)) hs[[name]] <- findInterval(hs[[name]], cuts[[name]])
quiet <- function(call) suppressMessages(suppressWarnings(call))

# lavaan: thresholds and minus means variable by variable | variances | covariances by column.
# Here: thresholds | means | covariances by column, of the continuous ones with their variances.
in_order <- function(values, gamma, names, ordered) {
  known <- names(values)
  means <- paste0(setdiff(names, ordered), "~1")
  covs <- unlist(lapply(seq_along(names), function(j) lapply(j:length(names), function(i) {
    if (i == j && names[i] %in% ordered) return(NULL)
    both <- c(paste0(names[j], "~~", names[i]), paste0(names[i], "~~", names[j]))
    both[both %in% known][1]
  })))
  all <- c(known[grepl("\\|t", known)], means, covs)
  sign <- ifelse(all %in% means, -1, 1)
  list(moments = unname(values[all]) * sign, acov = unname(gamma[all, all]) * outer(sign, sign))
}
saturated <- function(data, names, ordered, ...) {
  pairs <- combn(names, 2)
  text <- c(paste(pairs[1, ], "~~", pairs[2, ]), paste(setdiff(names, ordered), "~ 1"))
  fit <- quiet(cfa(paste(text, collapse = "\n"), data, ordered = ordered, estimator = "WLSMV", ...))
  c(n = lavInspect(fit, "ntotal"), in_order(lavInspect(fit, "wls.obs"), lavInspect(fit, "gamma"), names, ordered))
}
names <- c("age", "N1", "N2", "education", "N3")
ordered <- c("N1", "N2", "N3")
moments <- list(
  listwise = saturated(bfi, names, ordered),
  pairwise = saturated(bfi, names, ordered, missing = "pairwise"),
  one_item = saturated(bfi, c("N1", "age", "education"), "N1"),
  hs1939 = saturated(hs, paste0("x", 1:6), names(cuts))
)
weighted <- try(saturated(bfi, names, ordered, sampling.weights = "weight"), silent = TRUE)
if (!inherits(weighted, "try-error")) moments$weighted <- weighted

fitted <- function(fit) {
  table <- parameterEstimates(fit, standardized = TRUE)
  if (is.null(table$group)) table$group <- 1
  if (is.null(table$label)) table$label <- ""
  list(
    estimates = table[table$op != ":=", c("lhs", "op", "rhs", "group", "est", "se", "std.all")],
    fit = as.list(fitMeasures(fit)), r_squared = lavInspect(fit, "r2")
  )
}
NEURO <- "neuro =~ N1 + N2 + N3 + N4 + N5"
THREE <- "visual =~ x1 + x2 + x3 ; textual =~ x4 + x5 + x6 ; speed =~ x7 + x8 + x9"
MIXED <- "general =~ x1 + x4 + x5 + x6 + x7 ; x2 ~ general ; x3 ~~ x8"
N <- paste0("N", 1:5); X <- names(cuts)
models <- list(
  outcome = list(paste0(NEURO, " ; age ~ neuro"), "bfi", N, list()),
  outcome_theta = list(paste0(NEURO, " ; age ~ neuro ; education ~ age"), "bfi", N, list(parameterization = "theta")),
  outcome_pairwise = list(paste0(NEURO, " ; age ~ neuro ; education ~ neuro"), "bfi", N, list(missing = "pairwise")),
  indicators = list(THREE, "hs1939", X, list()),
  indicators_ulsmv = list(THREE, "hs1939", X, list(estimator = "ULSMV", std.lv = TRUE)),
  indicators_wlsm = list(THREE, "hs1939", X, list(estimator = "WLSM", parameterization = "theta")),
  indicators_dwls = list(THREE, "hs1939", X, list(estimator = "DWLS")),
  within_factor = list(MIXED, "hs1939", X, list()),
  groups = list(THREE, "hs1939", X, list(group = "school")),
  groups_equal = list(THREE, "hs1939", X, list(group = "school", group.equal = c("loadings", "intercepts", "thresholds"))),
  covariates = list(paste0(THREE, " ; textual ~ visual + ageyr ; speed ~ textual + agemo + ageyr"), "hs1939", X, list(conditional.x = FALSE)),
  two_values = list(paste0(NEURO, " ; neuro ~ age + gender"), "bfi", N, list(conditional.x = TRUE))
)
data <- list(bfi = bfi, hs1939 = hs)
found <- lapply(models, function(one) {
  text <- gsub(" ; ", "\n", one[[1]])
  options <- modifyList(list(model = text, data = data[[one[[2]]]], ordered = one[[3]], estimator = "WLSMV"), one[[4]])
  c(list(model = one[[1]], dataset = one[[2]]), fitted(quiet(do.call("sem", options))))
})
# Where predictors of continuous variables are conditioned on (its default), lavaan 0.6.14 puts
# correlations of x4 with x2 and others at their limit.
text <- gsub(" ; ", "\n", models$covariates[[1]])
given <- lavInspect(quiet(sem(text, hs, ordered = X)), "sampstat")$res.cov
# The independence model of maximum likelihood where predictors' moments are free
free_x <- sem("visual =~ x1 + x2 + x3 \n visual ~ ageyr + sex", read.csv("data/hs1939.csv"), fixed.x = FALSE)
out <- list(
  program = paste0("lavaan ", packageVersion("lavaan"), ", ", R.version.string),
  cuts = cuts, moments = moments, models = found,
  conditional_x4_x2 = cov2cor(given)["x4", "x2"],
  free_x = as.list(fitMeasures(free_x, c("chisq", "df", "baseline.chisq", "baseline.df", "cfi", "tli")))
)
write_json(out, "mixed.json", digits = 12, auto_unbox = TRUE, matrix = "rowmajor", na = "null")
