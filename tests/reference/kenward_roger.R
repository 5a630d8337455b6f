# Kenward-Roger covariances, df and F tests by pbkrtest, for designs that the gold files leave out:
# unbalanced groups, random slopes, three random effects, `||`, nested and crossed factors, a
# variance at zero. Run from this folder: Rscript kenward_roger.R; writes kenward_roger.json.
# lmerTest's anova(ddf = "Kenward-Roger") gives the same F, with the scaling, and is stored beside.
suppressMessages({library(lmerTest); library(pbkrtest); library(jsonlite)})
control <- lmerControl(optimizer = "nloptwrap", optCtrl = list(xtol_abs = 1e-13, ftol_abs = 1e-13, maxeval = 1e4))
exam <- read.csv("data/exam.csv")
few <- subset(exam, school %in% c(1:12, 48, 54))  # schools of 2 to 198 pupils
sleep <- read.csv("data/sleepstudy.csv")[-c(3, 4, 5, 17, 33, 34, 60, 61, 62, 63, 99, 140:146), ]
sleep$late <- as.numeric(sleep$Days > 5)
pastes <- read.csv("data/pastes.csv")[-c(1, 2, 9, 17, 30, 31, 32, 44, 59), ]
pastes$early <- as.numeric(seq_len(nrow(pastes)) %% 3 == 0)
penicillin <- read.csv("data/penicillin.csv")[-c(1:5, 20, 37, 38, 90, 141:144), ]
penicillin$early <- as.numeric(seq_len(nrow(penicillin)) %% 3 == 0)
flat <- few
flat$y <- residuals(lm(normexam ~ factor(school), few)) + 0.3 * few$standLRT
models <- list(
  exam_intercept = list("normexam ~ standLRT + sex + schgend + (1 | school)", "few"),
  exam_slope = list("normexam ~ standLRT * schgend + (standLRT | school)", "few"),
  sleep_slope = list("Reaction ~ Days + late + (Days | Subject)", "sleep"),
  sleep_three = list("Reaction ~ Days + late + (Days + late | Subject)", "sleep"),
  sleep_uncorrelated = list("Reaction ~ Days + late + (Days || Subject)", "sleep"),
  pastes_nested = list("strength ~ early + (1 | batch/cask)", "pastes"),
  penicillin_crossed = list("diameter ~ early + (1 | plate) + (1 | sample)", "penicillin"),
  penicillin_slope = list("diameter ~ early + (1 | plate) + (early | sample)", "penicillin"),
  singular = list("y ~ standLRT + schgend + (1 | school)", "flat")
)
data <- list(few = few, sleep = sleep, pastes = pastes, penicillin = penicillin, flat = flat)
found <- lapply(models, function(one) {
  d <- data[[one[[2]]]]
  for (v in intersect(names(d), c("school", "Subject", "batch", "cask", "plate", "sample", "sex", "schgend")))
    d[[v]] <- factor(d[[v]])
  fit <- suppressWarnings(suppressMessages(lmer(as.formula(one[[1]]), d, control = control)))
  table <- coef(summary(fit, ddf = "Kenward-Roger"))
  terms <- anova(fit, ddf = "Kenward-Roger")
  p <- length(fixef(fit))
  all <- KRmodcomp(fit, cbind(0, diag(p - 1)))$test
  list(
    formula = one[[1]], data = one[[2]], rows = nrow(d), singular = isSingular(fit),
    sdcor = as.data.frame(VarCorr(fit))$sdcor, coefficients = rownames(table),
    table = unname(table), vcov = unname(as.matrix(vcovAdj(fit))),
    terms = rownames(terms), anova = unname(as.matrix(terms[, 3:6])),
    joint = list(F = all["Ftest", "stat"], df = all["Ftest", "ddf"], p = all["Ftest", "p.value"],
                 scaling = all["Ftest", "F.scaling"])
  )
})
versions <- sapply(c("lme4", "lmerTest", "pbkrtest"), function(x) as.character(packageVersion(x)))
out <- list(program = paste0(R.version.string, "; ", paste(names(versions), versions, collapse = ", ")), models = found)
write_json(out, "kenward_roger.json", digits = 15, auto_unbox = TRUE, matrix = "rowmajor", na = "null")
