# Longitudinal invariance of ordered items: lavaan with semTools::measEq.syntax.
# Writes data/panel_ordinal.csv (simulated) and longitudinal.json.
#
#   Rscript tests/reference/longitudinal.R     # from the top of the repository
#
# lavaan 0.6.14, semTools 0.5.6, R 4.2.

suppressMessages({library(lavaan); library(semTools); library(jsonlite)})

folder <- "tests/reference"
set.seed(20161)
n <- 500
f <- matrix(rnorm(3 * n), n) %*% chol(matrix(c(1, .6, .5, .6, 1, .6, .5, .6, 1), 3))
f <- sweep(f, 2, c(0, .3, .5), "+")
loadings <- c(.8, .7, .75, .6)
cuts <- list(c(-1, -.2, .6, 1.3), c(-.8, .1, 1), c(-1.2, -.4, .5, 1.2), c(-.5, .7))
data <- data.frame(person = seq_len(n))
for (i in 1:4) {
  own <- rnorm(n)
  for (w in 1:3) {
    shift <- if (i == 3 && w == 3) .4 else 0
    star <- shift + loadings[i] * f[, w] + .4 * own + .6 * rnorm(n)
    data[[paste0("y", i, "_", w)]] <- findInterval(star, cuts[[i]]) + 1L
  }
}
lost <- runif(n) < .15
data[lost, paste0("y", 1:4, "_3")] <- NA
write.csv(data, file.path(folder, "data/panel_ordinal.csv"), row.names = FALSE, quote = FALSE)

items <- as.vector(outer(paste0("y", 1:4), 1:3, paste, sep = "_"))
configural <- paste(sapply(1:3, function(w)
  paste0("f_", w, " =~ ", paste0("y", 1:4, "_", w, collapse = " + "))), collapse = "\n")
factors <- list(f = paste0("f_", 1:3))
indicators <- setNames(lapply(1:4, function(i) paste0("y", i, "_", 1:3)), paste0("y", 1:4))
sequence <- list(configural = "", thresholds = "thresholds",
  loadings = c("thresholds", "loadings"),
  intercepts = c("thresholds", "loadings", "intercepts"),
  residuals = c("thresholds", "loadings", "intercepts", "residuals"))
measures <- c("npar", "chisq", "df", "pvalue", "chisq.scaled", "pvalue.scaled", "cfi", "rmsea",
  "srmr", "cfi.scaled", "rmsea.scaled")

ladder <- function(missing, partial = "") {
  fits <- lapply(sequence, function(equal) {
    syntax <- measEq.syntax(configural.model = configural, data = data, ordered = items,
      parameterization = "theta", ID.fac = "std.lv", ID.cat = "Wu.Estabrook.2016",
      longFacNames = factors, longIndNames = indicators, long.equal = equal,
      long.partial = partial, auto = "all")
    cfa(as.character(syntax), data = data, ordered = items, parameterization = "theta",
      estimator = "WLSMV", missing = missing)
  })
  tests <- lapply(2:5, function(i) {
    one <- lavTestLRT(fits[[i - 1]], fits[[i]])
    list(level = names(sequence)[i], statistic = one[2, "Chisq diff"], df = one[2, "Df diff"],
      p = one[2, "Pr(>Chisq)"])
  })
  estimates <- parameterEstimates(fits$intercepts)
  list(fit = lapply(fits, function(x) as.list(fitMeasures(x, measures))), tests = tests,
    estimates = estimates[estimates$op != "~*~", c("lhs", "op", "rhs", "est", "se")])
}
out <- list(
  versions = list(R = as.character(getRversion()), lavaan = as.character(packageVersion("lavaan")),
    semTools = as.character(packageVersion("semTools"))),
  listwise = ladder("listwise"), pairwise = ladder("pairwise"),
  partial = ladder("listwise", c("y3 ~ 1", "y1 | t2"))
)
write(toJSON(out, digits = NA, auto_unbox = TRUE, na = "null", pretty = 1), file.path(folder, "longitudinal.json"))
