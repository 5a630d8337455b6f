# Levels after Wu & Estabrook (2016) of items with three and with two categories, and of a mixture,
# by semTools::measEq.syntax and lavaan; and differences after Satorra & Bentler (2010), by lavaan.
# Run from the root of the repository.
suppressMessages({library(lavaan); library(semTools); library(jsonlite)})
bfi <- read.csv("tests/reference/data/bfi.csv")
items <- paste0("N", 1:5)
bfi <- bfi[complete.cases(bfi[, c(items, "gender")]), c(items, "gender")]
model <- paste("neuro =~", paste(items, collapse = " + "))
steps <- list(configural = NULL, thresholds = "thresholds", loadings = c("thresholds", "loadings"),
              intercepts = c("thresholds", "loadings", "intercepts"),
              residuals = c("thresholds", "loadings", "intercepts", "residuals"))
fitted <- function(cuts, equal) {
  data <- bfi
  for (i in items) data[[i]] <- findInterval(bfi[[i]], cuts[[i]])
  arguments <- list(model, data = data, ordered = items, parameterization = "theta",
                    ID.fac = "std.lv", ID.cat = "Wu.Estabrook.2016", group = "gender")
  if (length(equal)) arguments$group.equal <- equal
  text <- as.character(do.call(measEq.syntax, arguments))
  cfa(text, data = data, ordered = items, parameterization = "theta", group = "gender",
      estimator = "WLSMV")
}
cases <- list(three = setNames(rep(list(c(2.5, 4.5)), 5), items),
              two = setNames(rep(list(3), 5), items),
              mixed = setNames(list(3, 3, c(2.5, 4.5), c(2, 3, 4, 5), c(2, 3, 4, 5, 6)), items))
out <- lapply(cases, function(cuts) {
  fits <- lapply(steps, function(equal) fitted(cuts, equal))
  list(fit = lapply(fits, function(f) as.list(fitMeasures(f, c("chisq", "df", "chisq.scaled")))),
       means = as.list(subset(parameterEstimates(fits$intercepts), op == "~1" & lhs == "neuro" &
                              group == 2)[, c("est", "se")]))
})
hs <- read.csv("tests/reference/data/hs1939.csv")
visual <- "visual =~ x1 + x2 + x3 ; textual =~ x4 + x5 + x6 ; speed =~ x7 + x8 + x9"
equal <- list("", "loadings", c("loadings", "intercepts"), c("loadings", "intercepts", "residuals"))
fits <- lapply(equal, function(e)
  cfa(visual, hs, group = "school", group.equal = e, estimator = "MLM"))
out$differences_2010 <- sapply(2:4, function(i)
  lavTestLRT(fits[[i - 1]], fits[[i]], method = "satorra.bentler.2010")[["Chisq diff"]][2])
out$versions <- list(R = as.character(getRversion()), lavaan = as.character(packageVersion("lavaan")),
                     semTools = as.character(packageVersion("semTools")))
write_json(out, "tests/reference/invariance_peers.json", digits = 15, auto_unbox = TRUE)
