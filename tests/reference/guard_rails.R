# Two-way clustered errors (sandwich), Wald tests of contrasts (clubSandwich), collinearity (car),
# influence of schools (refits with lme4 and lm), Johnson-Neyman p-values (lm, p.adjust). Run from
# this folder: Rscript guard_rails.R; writes guard_rails.json.
suppressMessages({library(sandwich); library(clubSandwich); library(car); library(lme4); library(jsonlite)})
scots <- read.csv("data/scotssec.csv", colClasses = c(primary = "character", second = "character"))
exam <- read.csv("data/exam.csv", colClasses = c(school = "character"))
fit <- lm(attain ~ verbal + sex + social, scots)
two_way <- lapply(c(HC0 = "HC0", HC1 = "HC1", HC2 = "HC2", HC3 = "HC3"), function(type)
  vcovCL(fit, cluster = ~ primary + second, type = type, cadjust = TRUE, fix = FALSE))
two_way$HC0_plain <- vcovCL(fit, cluster = ~ primary + second, type = "HC0", cadjust = FALSE)
few <- lm(normexam ~ standLRT + schgend, exam)
negative <- vcovCL(few, cluster = ~ school + vr, type = "HC1", fix = FALSE)

with_types <- lm(normexam ~ standLRT + schgend + intake, exam)
wald <- function(constraints) {
  test <- Wald_test(with_types, constraints, vcov = "CR2", cluster = exam$school, test = "HTZ")
  list(F = test$Fstat, df1 = test$df_num, df2 = test$df_denom, p = test$p_val)
}
named <- names(coef(with_types))
contrast <- matrix(0, 2, length(named), dimnames = list(NULL, named))
contrast[1, c("schgendgirls", "schgendmixed")] <- c(1, -1)
contrast[2, c("intakemid 50%", "intaketop 25%")] <- c(1, -1)

linear <- lm(normexam ~ standLRT + schavg + schgend + intake, exam)
mixed <- lmer(normexam ~ standLRT + schavg + schgend + intake + (1 | school), exam)
columns <- model.matrix(linear)
condition <- function(x) { d <- svd(x %*% diag(1 / sqrt(colSums(x^2))))$d; d[1] / d }

tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10), calc.derivs = FALSE)
slope <- lmer(normexam ~ standLRT + schavg + (1 + standLRT | school), exam, control = tight)
schools <- unique(exam$school)[c(1, 2, 3, 53, 54, 59)]
without <- lapply(setNames(schools, schools), function(s) {
  m <- update(slope, data = exam[exam$school != s, ])
  l <- lm(normexam ~ standLRT + schavg + schgend, exam[exam$school != s, ])
  list(mixed = unname(fixef(m)), error = unname(sqrt(diag(as.matrix(vcov(m))))), sigma2 = sigma(m)^2,
       variances = as.data.frame(VarCorr(m))$vcov, linear = unname(coef(l)))
})
lmes <- influence(lmer(normexam ~ standLRT + schavg + (1 | school), exam, control = tight), groups = "school")

inter <- lm(normexam ~ standLRT * schavg + sex, exam)
at <- seq(-3, 3, length.out = 401)
v <- vcov(inter); b <- coef(inter)
s <- b["standLRT"] + b["standLRT:schavg"] * at
se <- sqrt(v["standLRT", "standLRT"] + 2 * at * v["standLRT", "standLRT:schavg"] + at^2 * v["standLRT:schavg", "standLRT:schavg"])
other <- b["schavg"] + b["standLRT:schavg"] * at
ose <- sqrt(v["schavg", "schavg"] + 2 * at * v["schavg", "standLRT:schavg"] + at^2 * v["standLRT:schavg", "standLRT:schavg"])
p <- 2 * pt(-abs(other / ose), df.residual(inter))

values <- list(
  two_way = lapply(two_way, unname),
  negative = list(vcov = unname(negative), eigen = eigen(negative)$values),
  wald = list(contrast = wald(contrast), one = wald(contrast[1, , drop = FALSE])),
  vif = list(linear = unname(vif(linear)), mixed = unname(vif(mixed)), condition = condition(columns)),
  influence = list(without = without, lme4_cook = unname(cooks.distance(lmes)), lme4_schools = lmes$deleted,
                   lme4_dfbeta = unname(dfbeta(lmes))),
  slopes = list(at = at, standLRT = unname(s), error = unname(se), other = unname(other), other_error = unname(ose), p = unname(p),
                adjusted = p.adjust(p, "BH"))
)
versions <- sapply(c("sandwich", "clubSandwich", "car", "lme4"), function(x) as.character(packageVersion(x)))
write_json(list(program = paste(R.version.string, paste(names(versions), versions, collapse = ", "), sep = "; "), values = values),
           "guard_rails.json", digits = I(15), auto_unbox = TRUE, pretty = FALSE)
