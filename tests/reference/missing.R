# Moments with missing answers (lavaan), Little's test from them, and a robust covariance.
#
#   Rscript tests/reference/missing.R        # from the top of the repository; writes missing.json
#
# lavaan 0.6.14 (saturated moments by EM), robustbase 0.95 (covMcd), R 4.2. Little's d2 is written
# out here from lavaan's moments, pattern by pattern, as naniar and BaylorEdPsych do.

suppressMessages({library(lavaan); library(robustbase); library(jsonlite)})
folder <- "tests/reference/data"
bfi <- read.csv(file.path(folder, "bfi.csv"))
blocks <- c("A", "C", "E", "N", "O")
items <- paste0(rep(blocks, each = 5), 1:5)

saturated <- function(x) {
  patterns <- lavaan:::lav_data_missing_patterns(x)
  found <- lavaan:::lav_mvnorm_missing_h1_estimate_moments(
    Y = x, Mp = patterns, max.iter = 500, tol = 1e-13)
  list(mean = as.numeric(found$Mu), cov = unname(found$Sigma),
       loglik = lavaan:::lav_mvnorm_missing_loglik_data(Y = x, Mu = found$Mu, Sigma = found$Sigma))
}

little <- function(x, moments) {
  code <- apply(is.na(x), 1, paste, collapse = "")
  d2 <- 0; df <- -ncol(x)
  for (one in unique(code)) {
    rows <- x[code == one, , drop = FALSE]
    there <- !is.na(rows[1, ])
    off <- colMeans(rows[, there, drop = FALSE]) - moments$mean[there]
    d2 <- d2 + nrow(rows) * sum(off * solve(moments$cov[there, there], off))
    df <- df + sum(there)
  }
  list(statistic = d2, df = df, p_value = pchisq(d2, df, lower.tail = FALSE),
       n_patterns = length(unique(code)))
}

entry <- function(x) {
  x <- as.matrix(x); dimnames(x) <- NULL
  moments <- saturated(x)
  c(moments, little = list(little(x, moments)))
}

hs <- as.matrix(read.csv(file.path(folder, "hs1939.csv"))[, paste0("x", 1:9)])
set.seed(1)
mcd <- covMcd(hs, alpha = 0.75, nsamp = 5000, use.correction = FALSE)
best <- hs[mcd$best, ]
h <- nrow(best)

writeLines(toJSON(list(
  R = R.version.string,
  versions = list(lavaan = as.character(packageVersion("lavaan")),
                  robustbase = as.character(packageVersion("robustbase"))),
  bfi25 = entry(bfi[, items]),
  bfi_agree = entry(bfi[, paste0("A", 1:5)]),
  hs1939_mcd = list(h = h, center = unname(mcd$center), cov = unname(mcd$cov),
                    raw_log_det = as.numeric(determinant(cov(best) * (h - 1) / h)$modulus))
), digits = NA, auto_unbox = TRUE, pretty = TRUE), "tests/reference/missing.json")
