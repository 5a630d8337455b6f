# One computation in R, timed; called by speed.py: Rscript speed.R case program file repeats
args <- commandArgs(trailingOnly = TRUE)
case <- args[1]
repeats <- as.integer(args[4])
suppressWarnings(suppressMessages(library(args[2], character.only = TRUE)))
data <- read.csv(args[3])

bfi <- list(A = paste0("A", 1:5), C = paste0("C", 1:5), E = paste0("E", 1:5),
            N = paste0("N", 1:5), O = paste0("O", 1:5))
reversed <- c("A1", "C4", "C5", "E1", "E2", "O2", "O5")
keys <- lapply(bfi, function(items) ifelse(items %in% reversed, paste0("-", items), items))

items <- if (case %in% c("polychoric", "efa", "efa_bootstrap", "parallel")) data[unlist(bfi)]

compute <- switch(case,
  mixed_exam = function()
    summary(lmer(normexam ~ standLRT + (1 + standLRT | school), data)),
  ols_cr2_exam = function() {
    fit <- lm(normexam ~ standLRT + sex + schavg, data)
    coef_test(fit, vcovCR(fit, cluster = data$school, type = "CR2"), test = "Satterthwaite")
  },
  alpha = function() alpha(data[bfi$A], keys = "A1"),
  scoring = function()
    scoreItems(keys, data[unlist(bfi)], missing = TRUE, impute = "none", min = 1, max = 6),
  icc = function() lapply(c("HRS", "LEAD"), function(name) {
    fit <- aov(data[[name]] ~ as.factor(data$GRP))
    c(ICC1(fit), ICC2(fit))
  }),
  polychoric = if (args[2] == "lavaan") function() lavCor(items, ordered = names(items))
    else function() polychoric(items, progress = FALSE),
  efa = function() fa(items, 5),
  efa_bootstrap = function() fa(items, 5, n.iter = 1000),
  parallel = function() fa.parallel(items, n.iter = 1000, plot = FALSE),
  function() summary(lmer(y ~ x + (1 + x | school), data))
)
if (repeats > 1) invisible(suppressWarnings(suppressMessages(compute())))
times <- replicate(repeats, {
  start <- proc.time()[["elapsed"]]
  suppressWarnings(suppressMessages(compute()))
  proc.time()[["elapsed"]] - start
})
status <- tryCatch(readLines("/proc/self/status"), error = function(e) character())
peak <- as.numeric(gsub("[^0-9]", "", grep("^VmHWM", status, value = TRUE))) / 1024
cat(sprintf('{"seconds": %.6f, "peak_mb": %.1f}\n', median(times), if (length(peak)) peak else NaN))
