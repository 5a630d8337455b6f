# Mixed logistic and Poisson models beyond gold/08 (random slopes, uncorrelated slopes, offsets) by
# lme4, iterated far beyond its defaults; single-level models by glm and MASS::glm.nb with errors of
# sandwich. Run from this folder: Rscript glmm.R; writes glmm.json.
suppressMessages({library(lme4); library(MASS); library(sandwich); library(jsonlite)})

d <- read.csv("data/contraception.csv", colClasses = c(woman = "character", district = "character"))
d$use01 <- as.integer(d$use == "Y")
d$age10 <- d$age / 10
herds <- read.csv("data/cbpp.csv", colClasses = c(herd = "character", period = "character"))
control <- glmerControl(
  optimizer = "bobyqa", tolPwrss = 1e-12, optCtrl = list(rhoend = 1e-10, maxfun = 1e5)
)
mixed <- function(fit, id, method) {
  for (again in 1:3) {
    start <- list(theta = getME(fit, "theta"), fixef = fixef(fit))
    fit <- update(fit, start = start)
  }
  v <- as.data.frame(VarCorr(fit))
  spread <- attr(ranef(fit, condVar = TRUE)[[1]], "postVar")
  first <- if (is.list(spread)) sapply(spread, function(s) s[, , 1]) else
    diag(as.matrix(spread[, , 1]))
  list(
    id = id, method = method,
    values = list(
      terms = names(fixef(fit)), estimate = unname(fixef(fit)),
      std_error = unname(sqrt(diag(as.matrix(vcov(fit))))),
      theta = unname(getME(fit, "theta")), vcov = v$vcov, loglik = as.numeric(logLik(fit)),
      modes_first = unlist(ranef(fit)[[1]][1, ]), level_first = rownames(ranef(fit)[[1]])[1],
      sd_first = unname(sqrt(first))
    )
  )
}
single <- function(fit, id, method, cluster) {
  list(
    id = id, method = method,
    values = list(
      terms = names(coef(fit)), estimate = unname(coef(fit)), loglik = as.numeric(logLik(fit)),
      aic = AIC(fit), classical = unname(sqrt(diag(vcov(fit)))), shape = fit$theta,
      CR0 = unname(sqrt(diag(vcovCL(fit, cluster, type = "HC0", cadjust = FALSE)))),
      CR1 = unname(sqrt(diag(vcovCL(fit, cluster, type = "HC0", cadjust = TRUE)))),
      CR1S = unname(sqrt(diag(vcovCL(fit, cluster, type = "HC1", cadjust = TRUE)))),
      HC0 = unname(sqrt(diag(vcovHC(fit, type = "HC0")))),
      HC1 = unname(sqrt(diag(vcovHC(fit, type = "HC1"))))
    )
  )
}
tight <- glm.control(epsilon = 1e-14, maxit = 100)
entries <- list(
  mixed(
    glmer(use01 ~ age10 + urban + (1 + urban | district), d, binomial, control = control),
    "slopes_factor", "glmer(use01 ~ age10 + urban + (1 + urban | district)), Laplace"
  ),
  mixed(
    glmer(use01 ~ age10 + urban + (1 + age10 || district), d, binomial, control = control),
    "slopes_uncorrelated", "glmer(use01 ~ age10 + urban + (1 + age10 || district)), Laplace"
  ),
  mixed(
    glmer(incidence ~ period + offset(log(size)) + (1 | herd), herds, poisson, control = control),
    "poisson_laplace", "glmer(incidence ~ period + offset(log(size)) + (1 | herd), poisson)"
  ),
  mixed(
    glmer(
      incidence ~ period + offset(log(size)) + (1 | herd), herds, poisson, nAGQ = 9, control = control
    ),
    "poisson_agq9", "glmer(incidence ~ period + offset(log(size)) + (1 | herd), poisson, nAGQ = 9)"
  ),
  single(
    glm(use01 ~ age10 + urban + livch, binomial, d, control = tight),
    "logit", "glm(use01 ~ age10 + urban + livch, binomial); sandwich by district", d$district
  ),
  single(
    glm(incidence ~ period + offset(log(size)), poisson, herds, control = tight),
    "poisson", "glm(incidence ~ period + offset(log(size)), poisson); by herd", herds$herd
  ),
  single(
    glm.nb(incidence ~ period + offset(log(size)), herds, control = tight),
    "negbin", "MASS::glm.nb(incidence ~ period + offset(log(size)))", herds$herd
  )
)
versions <- sapply(c("lme4", "MASS", "sandwich"), function(p) as.character(packageVersion(p)))
write_json(
  list(
    topic = "glmm", R = R.version.string, versions = as.list(versions),
    script = "tests/reference/glmm.R", entries = entries
  ),
  "glmm.json", digits = NA, auto_unbox = TRUE, pretty = 1, null = "null"
)
