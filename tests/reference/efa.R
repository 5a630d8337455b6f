# Factor analyses beyond gold/04_efa.json: psych, stats::factanal, and minres run to its end.
# Run from this folder: Rscript efa.R; writes data/efa_small.csv and efa.json.
suppressMessages({library(psych); library(jsonlite)})

# Sixty simulated answers to seven items with two factors, of which the third is nearly free of error;
# a third factor meets the bound of a unique variance, and some answers are missing.
set.seed(20240501)
L <- cbind(c(.7, .6, .97, .5, 0, 0, .2), c(0, .1, 0, 0, .8, .7, .5))
factors <- matrix(rnorm(120), 60) %*% chol(matrix(c(1, .3, .3, 1), 2))
unique <- 1 - diag(L %*% matrix(c(1, .3, .3, 1), 2) %*% t(L))
x <- factors %*% t(L) + matrix(rnorm(420), 60) %*% diag(sqrt(unique))
x <- round(x, 3)
x[cbind(c(3, 9, 14, 22, 31, 31, 47, 58), c(1, 5, 2, 7, 3, 4, 6, 5))] <- NA
colnames(x) <- paste0("v", 1:7)
write.csv(x, "data/efa_small.csv", row.names = FALSE, na = "")

bfi25 <- paste0(rep(c("A", "C", "E", "N", "O"), each = 5), 1:5)
data <- list(
  bfi25 = read.csv("data/bfi.csv")[bfi25],
  hs1939 = read.csv("data/hs1939.csv")[paste0("x", 1:9)],
  efa_small = read.csv("data/efa_small.csv")
)
complete <- lapply(data, na.omit)
cors <- lapply(complete, cor)

# Half the sum of the squared p - m smallest roots of R - Psi, from several starts to the end.
minres <- function(R, m) {
  p <- ncol(R)
  roots <- function(psi) eigen(R - diag(psi), symmetric = TRUE)
  f <- function(psi) sum(roots(psi)$values[(m + 1):p]^2) / 2
  g <- function(psi) { e <- roots(psi); j <- (m + 1):p; -rowSums(sweep(e$vectors[, j, drop = FALSE]^2, 2, e$values[j], "*")) }
  starts <- c(list(1 - smc(R)), lapply(c(.2, .5, .8), rep, p))
  ends <- lapply(starts, function(s) nlminb(pmax(s, .005), f, g, lower = .005, upper = 1,
    control = list(rel.tol = 1e-15, abs.tol = 0, x.tol = 1e-12, iter.max = 5000, eval.max = 10000)))
  best <- ends[[which.min(vapply(ends, function(e) e$objective, 0))]]
  list(objective = best$objective, uniquenesses = best$par)
}
entries <- list()
add <- function(id, dataset, method, values) {
  entries[[length(entries) + 1]] <<- list(id = id, dataset = dataset, method = method, values = values)
}
for (name in names(cors)) {
  most <- c(bfi25 = 8, hs1939 = 5, efa_small = 3)[[name]]
  for (m in seq_len(most)) {
    R <- cors[[name]]
    add(paste("minres", m, name, sep = "_"), name, "nlminb from four starts, lower = .005", minres(R, m))
    fit <- tryCatch(suppressWarnings(factanal(covmat = R, factors = m, n.obs = nrow(complete[[name]]), rotation = "none",
      control = list(nstart = 20, lower = .005, opt = list(factr = 10)))), error = function(e) NULL)
    if (!is.null(fit)) add(paste("ml", m, name, sep = "_"), name,
      "stats::factanal(covmat = R, factors = m, rotation = 'none', control = list(nstart = 20, lower = .005, opt = list(factr = 10)))",
      list(objective = unname(fit$criteria["objective"]), uniquenesses = unname(fit$uniquenesses), loadings = unclass(fit$loadings)[, , drop = FALSE]))
  }
}

stats_of <- function(fit) list(
  loadings = unclass(fit$loadings)[, , drop = FALSE], communality = unname(fit$communality), objective = fit$objective,
  chi2 = fit$STATISTIC, df = fit$dof, chi2_empirical = fit$chi, rmsr = fit$rms, fit_off = fit$fit.off,
  tli = fit$TLI, bic = fit$BIC, n = fit$n.obs
)
quiet <- function(...) suppressMessages(suppressWarnings(fa(...)))
add("three_items", "hs1939", "psych::fa(x[c('x1', 'x2', 'x3')], 1, fm = 'minres')",
    stats_of(quiet(data$hs1939[1:3], 1, fm = "minres")))
add("pairwise_bfi10", "bfi25", "psych::fa(x[1:10], 2, fm = 'minres', rotate = 'none'), all 2800 rows",
    stats_of(quiet(data$bfi25[1:10], 2, fm = "minres", rotate = "none")))
add("pairwise_small", "efa_small", "psych::fa(x, 1, fm = 'ml')", stats_of(quiet(data$efa_small, 1, fm = "ml")))
for (name in c("bfi25", "hs1939")) {
  m <- c(bfi25 = 5, hs1939 = 3)[[name]]
  add(paste0("pa_", name), name, "psych::fa(cor(x), m, n.obs, fm = 'pa', rotate = 'none', min.err = 1e-12, max.iter = 20000)",
      stats_of(quiet(cors[[name]], m, n.obs = nrow(complete[[name]]), fm = "pa", rotate = "none", min.err = 1e-12, max.iter = 20000)))
}
f <- quiet(cors$hs1939, 3, n.obs = 301, fm = "ml", rotate = "varimax")
z <- scale(as.matrix(complete$hs1939))
add("anderson_hs1939", "hs1939", "f <- psych::fa(cor(x), 3, n.obs = 301, fm = 'ml', rotate = 'varimax'); psych::factor.scores(x, f, method = 'Anderson')",
    list(loadings = unclass(f$loadings)[, , drop = FALSE], weights = unname(factor.scores(z, f, method = "Anderson")$weights)))

versions <- list(R = R.version.string, psych = as.character(packageVersion("psych")))
write_json(list(topic = "efa", versions = versions, script = "efa.R", entries = entries), "efa.json",
           auto_unbox = TRUE, digits = 15, pretty = FALSE)
