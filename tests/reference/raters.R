# Variances of targets and raters in incomplete data by lme4 (REML, iterated far beyond its
# defaults), the F test of targets by lm, and a retest by base R and psych. The data are parts of
# data/wine_wide.csv or drawn, and stored with the answers.
# Run from this folder: Rscript raters.R; writes raters.json.
suppressMessages({library(lme4); library(psych); library(jsonlite)})

tight <- lmerControl(
  optimizer = "nloptwrap", calc.derivs = FALSE, check.conv.singular = "ignore",
  optCtrl = list(xtol_abs = 1e-13, ftol_abs = 1e-15, xtol_rel = 1e-13, maxeval = 100000)
)
long <- function(wide) {
  d <- data.frame(
    target = rep(seq_len(nrow(wide)), ncol(wide)),
    rater = rep(colnames(wide), each = nrow(wide)),
    rating = unlist(wide, use.names = FALSE)
  )
  d[!is.na(d$rating), ]
}
variances <- function(fit) {
  v <- as.data.frame(VarCorr(fit))
  setNames(as.list(v$vcov), v$grp)
}
crossed <- function(id, d) {
  two <- lmer(rating ~ 1 + (1 | target) + (1 | rater), d, control = tight)
  one <- lmer(rating ~ 1 + (1 | target), d, control = tight)
  table <- anova(lm(rating ~ factor(rater) + factor(target), d))
  list(
    id = id, data = d,
    method = "lme4::lmer, REML; anova(lm(rating ~ rater + target))",
    values = list(
      twoway = variances(two), oneway = variances(one),
      F = table["factor(target)", "F value"], p = table["factor(target)", "Pr(>F)"],
      df1 = table["factor(target)", "Df"], df2 = table["Residuals", "Df"]
    )
  )
}

wine <- read.csv("data/wine_wide.csv")[, -1]
holes <- wine
holes[cbind(c(1, 2, 2, 3, 4, 4, 5, 6, 7, 7, 8, 8, 8), c(1, 2, 5, 9, 3, 4, 7, 6, 8, 2, 1, 3, 5))] <- NA
sparse <- wine
set.seed(1)
for (i in seq_len(nrow(sparse))) sparse[i, sample(9, 6)] <- NA
set.seed(2)
level <- rnorm(40)
rated <- as.data.frame(sapply(1:6, function(j) level + rnorm(40, sd = 0.8) + rnorm(1, sd = 0.5)))
for (i in seq_len(40)) rated[i, sample(6, sample(2:4, 1))] <- NA
# Judges who agree less than by chance: the analysis of variance is negative, REML is zero.
set.seed(4)
alike <- as.data.frame(t(sapply(1:12, function(i) sample(c(1, 3, 5, 6)) + rnorm(4, sd = 0.2))))

incomplete <- list(
  crossed("wine_holes", long(holes)), crossed("wine_sparse", long(sparse)),
  crossed("drawn_40_by_6", long(rated)), crossed("negative", long(alike))
)

set.seed(3)
x <- round(rnorm(60, 20, 4)); y <- round(x + 0.8 + rnorm(60, sd = 2))
t <- t.test(y, x, paired = TRUE)
fit <- lm(I(y - x) ~ I((x + y) / 2))
icc <- ICC(cbind(x, y), lmer = FALSE)$results
s <- sd(y - x)
retest <- list(list(
  id = "retest", data = list(x = x, y = y), method = "t.test, cor.test, lm, psych::ICC(lmer=FALSE)",
  values = list(
    bias = unname(t$estimate), bias_ci = as.numeric(t$conf.int), sd = s,
    limits = mean(y - x) + c(-1, 1) * qnorm(.975) * s,
    limits_se = s * sqrt(1 / 60 + qnorm(.975)^2 / (2 * 59)),
    cor = unname(cor(x, y)), cor_ci = as.numeric(cor.test(x, y)$conf.int),
    slope = unname(coef(fit)[2]), slope_ci = as.numeric(confint(fit)[2, ]),
    slope_p = summary(fit)$coef[2, 4],
    icc_2_1 = as.numeric(icc[2, c("ICC", "lower bound", "upper bound")]),
    icc_3_1 = as.numeric(icc[3, c("ICC", "lower bound", "upper bound")]),
    sd_ci = s * sqrt(59 / qchisq(c(.975, .025), 59))
  )
))

versions <- lapply(c("lme4", "psych", "jsonlite"), function(p) as.character(packageVersion(p)))
out <- list(
  topic = "raters", R = R.version.string,
  versions = setNames(versions, c("lme4", "psych", "jsonlite")),
  script = "tests/reference/raters.R", entries = c(incomplete, retest)
)
write(toJSON(out, digits = NA, auto_unbox = TRUE, dataframe = "columns", null = "null"), "raters.json")
