# Values for tests/invariance/test_partial.py and test_consequences.py:
# Rscript partial_invariance.R > partial_invariance.json
# R 4.2.2, lavaan 0.6.14; data are data/hs1939.csv and data/bfi.csv.
suppressMessages({library(lavaan); library(jsonlite)})
hs <- read.csv("data/hs1939.csv")
out <- list()
model <- "visual =~ x1 + x2 + x3
          textual =~ x4 + x5 + x6
          speed =~ x7 + x8 + x9"
scalar <- c("loadings", "intercepts")
free <- c("x3~1", "x7~1")

# Score tests of the scalar model, and after x3~1 was released; ML and MLR.
score <- function(fit) {
  found <- lavTestScore(fit)$uni
  table <- parTable(fit)
  name <- setNames(paste0(table$lhs, table$op, table$rhs), table$plabel)[found$lhs]
  setNames(as.list(found$X2), name)
}
fit <- function(..., estimator = "ML", data = hs, text = model, equal = scalar)
  sem(text, data, group = "school", group.equal = equal, std.lv = TRUE, estimator = estimator, ...)
out$score <- score(fit())
out$score_released <- score(fit(group.partial = "x3~1"))
out$score_mlr <- score(fit(estimator = "MLR"))

# Joint score test of an intercept over four groups: two schools by sex.
four <- transform(hs, cell = paste(school, sex))
joint <- cfa(model, four, group = "cell", group.equal = scalar, std.lv = TRUE)
table <- parTable(joint)
rows <- function(name) which(paste0(table$lhs, table$op, table$rhs) == name)
out$score_four <- sapply(c("x3~1", "x7~1", "visual=~x2"), function(name) {
  constraints <- lavTestScore(joint)$uni
  which <- which(constraints$lhs == table$plabel[rows(name)[1]])
  as.list(unlist(lavTestScore(joint, release = which)$test[c("X2", "df")]))
}, simplify = FALSE)

# Wald test of an intercept in the model without its equality.
labelled <- sub("x3", "x3\n x3 ~ c(a1, a2)*1", model)
for (estimator in c("ML", "MLR"))
  out$wald[[estimator]] <- lavTestWald(fit(text = labelled, group.partial = "x3~1",
    estimator = estimator), "a1 == a2")$stat
out$difference_mlr <- lavTestLRT(fit(group.partial = "x3~1", estimator = "MLR"),
  fit(estimator = "MLR"))[["Chisq diff"]][2]

# Latent means and slopes with and without equality of what differs.
means <- function(...) {
  found <- parameterEstimates(fit(...))
  found <- found[found$op == "~1" & found$group == 2 & found$lhs %in% c("visual", "textual", "speed"), ]
  setNames(lapply(seq_len(nrow(found)), function(i) c(found$est[i], found$se[i])), found$lhs)
}
out$latent <- means()
out$latent_partial <- means(group.partial = free)
text <- paste(model, "\n grade ~ visual + textual + speed")
slopes <- function(partial) {
  found <- parameterEstimates(fit(text = text, equal = c(scalar, "regressions"),
    group.partial = partial))
  found <- found[found$op == "~" & found$group == 1, ]
  setNames(lapply(seq_len(nrow(found)), function(i) c(found$est[i], found$se[i])), found$rhs)
}
out$slopes <- list(
  within = list(latent = slopes("grade~1"), latent_partial = slopes(c("grade~1", free))),
  pooled = list(latent = slopes(character(0)), latent_partial = slopes(free)))

# One group's configural model, unit factor variance: what alignment starts from.
alone <- cfa(model, subset(hs, school == "Grant-White"), std.lv = TRUE, meanstructure = TRUE)
found <- parameterEstimates(alone)
found <- found[found$op == "=~" | (found$op == "~1" & found$se > 0), ]
out$alone <- setNames(lapply(seq_len(nrow(found)), function(i) c(found$est[i], found$se[i])),
  paste0(found$lhs, found$op, found$rhs))
cat(toJSON(out, digits = I(15), auto_unbox = TRUE, pretty = TRUE), "\n")
