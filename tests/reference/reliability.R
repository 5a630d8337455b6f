# Values for tests/reliability: Rscript reliability.R > reliability.json
# R 4.2.2, psych 2.2.9, lavaan 0.6.14; data are data/bfi.csv and data/bfi_extra_binary.csv.
suppressMessages({library(psych); library(lavaan); library(jsonlite)})
options(digits = 15)
bfi <- read.csv("data/bfi.csv")
reversed <- c("A1", "C4", "C5", "E1", "E2", "O2", "O5")
for (item in reversed) bfi[[item]] <- 7 - bfi[[item]]
out <- list()

# Alpha from full information maximum likelihood: a saturated model, alpha a defined parameter;
# its standard error is robust (sandwich with the observed information), by respondents.
fiml <- function(items) {
  x <- bfi[items]
  x <- x[rowSums(!is.na(x)) > 0, ]
  k <- length(items)
  model <- character()
  own <- both <- character()
  for (i in 1:k) for (j in i:k) {
    name <- paste0("s", i, "_", j)
    model <- c(model, paste0(items[i], " ~~ ", name, "*", items[j]))
    if (i == j) own <- c(own, name) else both <- c(both, name)
  }
  trace <- paste(own, collapse = " + ")
  total <- paste0(trace, " + 2*(", paste(both, collapse = " + "), ")")
  model <- c(model, paste0("al := ", k, "/", k - 1, "*(1 - (", trace, ")/(", total, "))"),
             paste0("le := log(1 - ", k, "/", k - 1, "*(1 - (", trace, ")/(", total, ")))"))
  fit <- sem(model, x, missing = "ml", estimator = "MLR", meanstructure = TRUE,
             information = "observed", control = list(rel.tol = 1e-14))
  found <- parameterEstimates(fit)
  list(alpha = found$est[found$lhs == "al"], se = found$se[found$lhs == "al"],
       log_se = found$se[found$lhs == "le"], n = nrow(x), loglik = as.numeric(logLik(fit)))
}
out$fiml_alpha_agree <- fiml(paste0("A", 1:5))
out$fiml_alpha_open <- fiml(paste0("O", 1:5))

# KR-20 is alpha of items of two answers.
binary <- read.csv("data/bfi_extra_binary.csv")[c("E1r", "E2r", "E3", "E4", "E5")]
binary <- na.omit(binary)
total <- alpha(binary)$total
out$kr20_extra_binary <- list(kr20 = total$raw_alpha, n = nrow(binary), k = 5,
  feldt = unlist(alpha.ci(total$raw_alpha, nrow(binary), 5)[c("lower.ci", "upper.ci")]))

# Omega total of one maximum likelihood factor from the covariances, without each item.
omega1 <- function(items) {
  sapply(seq_along(items), function(j) {
    x <- na.omit(bfi[items])[-j]
    f <- factanal(covmat = cor(x), factors = 1, n.obs = nrow(x), control = list(lower = 0.005))
    sd <- apply(x, 2, sd)
    common <- sum(sd * f$loadings)^2
    common / (common + sum(sd^2 * f$uniquenesses))
  })
}
out$omega_if_dropped_agree <- omega1(paste0("A", 1:5))
f <- factanal(covmat = cor(na.omit(bfi[paste0("A", 1:5)])), factors = 1)
out$loading_agree <- as.numeric(f$loadings)
d <- psych::describe(na.omit(bfi[paste0("A", 1:5)]), type = 3)
out$kurtosis_agree <- d$kurtosis
cat(toJSON(out, digits = 15, auto_unbox = TRUE, pretty = TRUE), "\n")
