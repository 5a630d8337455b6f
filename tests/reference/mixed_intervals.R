# Profile intervals of lme4 for designs that the gold files leave out: REML fits (profiled by maximum
# likelihood), `||`, nested and crossed factors, three correlated effects, a variance whose lower
# limit is zero; approximate intervals of nlme. Run from this folder: Rscript mixed_intervals.R;
# writes mixed_intervals.json. lme4 interpolates its profile: its limits are good to about 1e-4.
suppressMessages({library(lme4); library(nlme); library(jsonlite)})
sleep <- read.csv("data/sleepstudy.csv")
sleep$late <- as.numeric(sleep$Days > 5)
pastes <- read.csv("data/pastes.csv")
penicillin <- read.csv("data/penicillin.csv")
control <- lmerControl(optimizer = "nloptwrap", optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-12, maxeval = 1e4))
models <- list(
  uncorrelated = list("Reaction ~ Days + (Days || Subject)", "sleep"),
  three = list("Reaction ~ Days + (Days + late | Subject)", "sleep"),
  nested = list("strength ~ 1 + (1 | batch/cask)", "pastes"),
  crossed = list("diameter ~ 1 + (1 | plate) + (1 | sample)", "penicillin")
)
data <- list(sleep = sleep, pastes = pastes, penicillin = penicillin)
found <- lapply(models, function(one) {
  fit <- suppressMessages(suppressWarnings(lme4::lmer(as.formula(one[[1]]), data[[one[[2]]]], control = control)))
  limits <- suppressMessages(suppressWarnings(confint(fit, method = "profile", oldNames = FALSE, quiet = TRUE)))
  list(formula = one[[1]], data = one[[2]], names = rownames(limits), limits = unname(limits))
})
fit <- lme(Reaction ~ Days, random = ~ Days | Subject, data = sleep, method = "REML",
           control = lmeControl(opt = "optim", msTol = 1e-12, tolerance = 1e-12, returnObject = TRUE))
approximate <- intervals(fit, which = "var-cov")
out <- list(
  program = paste0(R.version.string, "; lme4 ", packageVersion("lme4"), ", nlme ", packageVersion("nlme")),
  profile = found,
  nlme = list(formula = "Reaction ~ Days + (Days | Subject)", data = "sleep",
              limits = unname(as.matrix(approximate$reStruct$Subject[, c("lower", "upper")])),
              sigma = unname(approximate$sigma[c("lower", "upper")]))
)
write_json(out, "mixed_intervals.json", digits = 12, auto_unbox = TRUE, matrix = "rowmajor", na = "null")
