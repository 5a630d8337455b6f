# Cumulative link models beyond the gold entries: links, weights, factors, cluster-robust errors,
# mixed models. Run from this folder: Rscript ordinal.R; writes ordinal.json. wine and bfi of data/;
# `w` of bfi is 1, 2, 3, 1, 2, 3 and so on, its clusters are the rows' age.
suppressMessages({library(ordinal); library(sandwich); library(jsonlite)})
wine <- read.csv("data/wine.csv", stringsAsFactors = TRUE)
wine$rating <- factor(wine$rating, ordered = TRUE)
bfi <- read.csv("data/bfi.csv")[1:800, c("N1", "gender", "age", "education")]
bfi$w <- 1 + (seq_len(800) - 1) %% 3
bfi <- bfi[complete.cases(bfi), ]
bfi$N1 <- factor(bfi$N1, ordered = TRUE)
bfi$ed <- factor(bfi$education)
tight <- clm.control(gradTol = 1e-10)
tests <- function(table) {
  list(term = rownames(table)[-1], df = table$Df[-1], loglik = table$logLik[-1],
       statistic = table$LRT[-1], p_value = table[["Pr(>Chi)"]][-1])
}
single <- function(fit, ...) {
  list(names = names(coef(fit)), estimate = unname(coef(fit)), vcov = unname(vcov(fit)),
       loglik = as.numeric(logLik(fit)), aic = AIC(fit), bic = BIC(fit), ...)
}
mixed <- function(fit) {
  list(names = names(coef(fit)), estimate = unname(coef(fit)), vcov = unname(vcov(fit)),
       loglik = as.numeric(logLik(fit)), sd = as.numeric(fit$ST[[1]]),
       modes = ranef(fit)[[1]][, 1], mode_sds = sqrt(condVar(fit)[[1]][, 1]))
}
out <- list(versions = list(R = as.character(getRversion()),
                            ordinal = as.character(packageVersion("ordinal")),
                            sandwich = as.character(packageVersion("sandwich"))))

fit <- clm(rating ~ temp + contact, data = wine, link = "cloglog", control = tight)
out$wine_cloglog <- single(fit, scale_test = tests(scale_test(fit)))
fit <- clm(rating ~ temp * contact + bottle, data = wine, link = "probit", control = tight)
out$wine_interaction <- single(fit)
fit <- clm(N1 ~ gender + ed + age, data = bfi, weights = w, control = tight)
# nominal_test() and scale_test() refit the call, which must not hold a control that is too tight.
plain <- clm(N1 ~ gender + ed + age, data = bfi, weights = w)
out$bfi_weights <- single(fit, nominal_test = tests(nominal_test(plain)),
                          scale_test = tests(scale_test(plain)))
fit <- clm(N1 ~ gender + age + offset(education / 4), data = bfi, control = tight)
out$bfi_offset <- single(fit)
fit <- clm(N1 ~ gender + education, data = bfi, control = tight)
# HC1 with cadjust: the sandwich times m / (m - 1) and (N - 1) / (N - k), our CR1S.
out$bfi_clusters <- single(fit, robust = unname(vcovCL(fit, cluster = bfi$age, type = "HC1")))
fit <- clmm(rating ~ temp + contact + (1 | judge), data = wine, link = "probit", nAGQ = 7)
out$wine_mixed_probit <- mixed(fit)
fit <- clmm(rating ~ temp + contact + (1 | judge), data = wine, link = "cloglog", nAGQ = 7)
out$wine_mixed_cloglog <- mixed(fit)
bfi$year <- factor(bfi$age)
fit <- clmm(N1 ~ gender + education + (1 | year), data = bfi, nAGQ = 5)
out$bfi_mixed <- mixed(fit)
write_json(out, "ordinal.json", digits = NA, auto_unbox = TRUE, pretty = FALSE)
