# Modification indices and score tests by lavaan of models that are not in the gold files.
# Rscript tests/reference/modification.R   (from the root of the repository)
suppressMessages(library(lavaan))
hs <- read.csv("tests/reference/data/hs1939.csv")
bfi <- read.csv("tests/reference/data/bfi.csv")
bhr <- read.csv("tests/reference/data/bhr2000.csv")
HS <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"

indices <- function(fit) {
  m <- modindices(fit)
  m$group <- if (is.null(m$block)) 1L else m$block
  m[, c("lhs", "op", "rhs", "group", "mi", "epc", "sepc.lv", "sepc.all", "sepc.nox")]
}
score <- function(fit) {
  s <- suppressWarnings(lavTestScore(fit, epc = FALSE))
  list(uni = s$uni$X2, total = s$test$X2, df = s$test$df)
}

ordinal <- bfi[complete.cases(bfi[, c(paste0("N", 1:5), paste0("E", 1:5))]), ]
NE <- "neuro =~ N1 + N2 + N3 + N4 + N5\nextra =~ E1 + E2 + E3 + E4 + E5"
items <- c(paste0("N", 1:5), paste0("E", 1:5))
# nlminb() stops with slopes of 1e-5, which moves small indices in the fourth digit.
cfa <- function(...) lavaan::cfa(..., optim.method = "BFGS", control = list(reltol = 1e-15, maxit = 5000))
sem <- function(...) lavaan::sem(..., optim.method = "BFGS", control = list(reltol = 1e-15, maxit = 5000))
AC <- "agree =~ A1 + A2 + A3 + A4 + A5\nconsc =~ C1 + C2 + C3 + C4 + C5"
MIMIC <- paste0(HS, "\ntextual ~ visual + ageyr\nvisual ~ sex\nx3 ~ sex\nspeed ~ textual")
TWO <- "level: 1\nf =~ AF06 + AF07 + AP12 + AS14 + AS16 + AS28\nlevel: 2\nf =~ AF06 + AF07 + AP12 + AS14 + AS16 + AS28"

scalar <- cfa(HS, hs, group = "school", group.equal = c("loadings", "intercepts"))
linear <- cfa(paste0("visual =~ NA*x1 + a*x1 + b*x2 + c*x3\ntextual =~ x4 + d*x5 + e*x6\n",
  "speed =~ x7 + x8 + x9\na + b + c == 3\nd == 1.1*e"), hs)
categorical <- cfa(NE, ordinal, ordered = items, group = "gender", estimator = "WLSMV",
  group.equal = c("loadings", "thresholds"))
out <- list(
  program = paste("lavaan", packageVersion("lavaan"), "with R", getRversion()),
  indices = list(
    second_order = indices(cfa(paste0(HS, "\ng =~ visual + textual + speed"), hs)),
    groups = indices(scalar),
    mimic = indices(sem(MIMIC, hs, meanstructure = TRUE)),
    random_covariates = indices(sem(MIMIC, hs, meanstructure = TRUE, fixed.x = FALSE)),
    orthogonal = indices(cfa(HS, hs, orthogonal = TRUE, std.lv = TRUE)),
    wishart = indices(cfa(HS, hs, likelihood = "wishart")),
    gls = indices(cfa(HS, hs, estimator = "GLS")),
    fiml = indices(cfa(AC, bfi, missing = "fiml")),
    theta = indices(cfa(NE, ordinal, ordered = items, parameterization = "theta", std.lv = TRUE)),
    categorical_groups = indices(categorical),
    two_level = indices(cfa(TWO, bhr, cluster = "GRP"))
  ),
  score = list(linear = score(linear), categorical_groups = score(categorical)),
  wald = list(
    linear = lavTestWald(linear, "b == c")[c("stat", "df", "p.value")],
    mimic = lavTestWald(
      sem(paste0(HS, "\ntextual ~ p*visual + q*ageyr\nvisual ~ r*sex"), hs),
      "p*r == 0.2\nq == 0"
    )[c("stat", "df", "p.value")]
  )
)
cat(jsonlite::toJSON(out, digits = I(10), auto_unbox = TRUE, na = "null", dataframe = "columns"),
  file = "tests/reference/modification.json")
