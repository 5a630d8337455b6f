# Parameter tables of lavaan for model texts of many kinds, and the moments implied by arbitrary
# values of the parameters.
#
#   Rscript sem_tables.R     # in this folder; writes sem_tables.json
#
# lavaan 0.6.14, semTools 0.5.6, R 4.2.
suppressMessages({library(lavaan); library(semTools); library(jsonlite)})

hs <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
one <- "f =~ N1 + N2 + N3 + N4"
models <- list(
  list(id = "covariances_turned", text = "f1 =~ x1+x2+x3\nf2 =~ x4+x5+x6\nf2 ~~ f1\nx2 ~~ x1\nx6 ~~ x3"),
  list(id = "mimic", text = paste0(hs, "\nvisual ~ ageyr + sex\nspeed ~ ageyr + visual")),
  list(id = "mimic_random_x", text = paste0(hs, "\nvisual ~ ageyr + sex"), fixed_x = FALSE),
  list(id = "mimic_means", text = paste0(hs, "\nvisual ~ ageyr + sex"), means = TRUE),
  list(id = "mimic_groups", text = paste0(hs, "\nvisual ~ ageyr + sex"), n_groups = 2,
       equal = c("loadings", "intercepts", "regressions")),
  list(id = "direct_effect", text = paste0(hs, "\nvisual ~ ageyr\nx3 ~ ageyr")),
  list(id = "paths", text = "x4 ~ x1 + x2\nx5 ~ x1 + x4\nx6 ~ x1\nx5 ~~ x6"),
  list(id = "paths_final", text = "x4 ~ x1 + x2\nx5 ~ x1 + x2\nx6 ~ x1"),
  list(id = "covariate_written", text = "x4 ~ x1 + x2 + x3\nx1 ~~ x2"),
  list(id = "latent_with_observed", text = paste0(hs, "\nvisual ~~ ageyr")),
  list(id = "latent_and_item_with_observed", text = paste0(hs, "\nvisual ~~ ageyr\nx1 ~~ ageyr")),
  list(id = "item_predicts", text = paste0(hs, "\nageyr ~ x1 + textual")),
  list(id = "single_indicator", text = paste0(hs, "\nage =~ ageyr\nvisual ~ age")),
  list(id = "single_fixed", text = paste0(hs, "\nage =~ ageyr\nageyr ~~ 0.2*ageyr\nvisual ~~ age")),
  list(id = "modifiers", text = "f =~ NA*x1 + a*x2 + start(0.7)*x3 + equal(\"f=~x3\")*x4 + 0.5*x5 + x6 + b*x6\nf ~~ 1*f\nx1 ~~ v*x1\nx2 ~~ v*x2"),
  list(id = "growth", text = "i =~ 1*x1 + 1*x2 + 1*x3 + 1*x4\ns =~ 0*x1 + 1*x2 + 2*x3 + 3*x4\ni ~ 1\ns ~ 1\nx1 + x2 + x3 + x4 ~ 0*1"),
  list(id = "second_order", text = paste0(hs, "\ng =~ visual + textual + speed"), std_lv = TRUE),
  list(id = "second_order_groups", text = paste0(hs, "\ng =~ visual + textual + speed"), n_groups = 2, equal = c("loadings", "intercepts")),
  list(id = "orthogonal", text = paste0(hs, "\nvisual ~~ speed"), orthogonal = TRUE),
  list(id = "outcomes", text = paste0(hs, "\nx10 ~ visual\nx11 ~ visual + speed")),
  list(id = "labels_equal", text = "f =~ x1 + a*x2 + b*x3 + c*x4\na == b\nc == 2*a - 0.5"),
  list(id = "label_fixed", text = "f =~ x1 + a*x2 + b*x3 + c*x4\na == 1\nb == c"),
  list(id = "labels_redundant", text = "f =~ x1 + a*x2 + b*x3 + c*x4\na == b\nb == c\na == c"),
  list(id = "sum_of_labels", text = "f =~ NA*x1 + a*x1 + b*x2 + c*x3 + d*x4\na + b + c + d == 4"),
  list(id = "groups_labels", text = "f =~ x1 + c(a, b)*x2 + c(1, NA)*x3 + l*x4\nf ~ c(0, NA)*1\nx1 ~ c(i, i)*1\nd := a - b", n_groups = 2),
  list(id = "groups_plain", text = hs, n_groups = 3),
  list(id = "groups_std_lv", text = hs, n_groups = 2, std_lv = TRUE, equal = c("loadings", "intercepts")),
  list(id = "groups_variances", text = hs, n_groups = 2, std_lv = TRUE, equal = c("loadings", "lv.variances", "lv.covariances")),
  list(id = "groups_partial", text = paste0(hs, "\nx1 ~~ x4"), n_groups = 2, equal = c("loadings", "intercepts", "residuals", "residual.covariances"), partial = c("visual=~x2", "x2~1", "x5~~x5")),
  list(id = "groups_all", text = hs, n_groups = 2, equal = c("loadings", "intercepts", "means", "residuals", "lv.variances", "lv.covariances")),
  list(id = "two_levels", text = "level: 1\nfw =~ y1 + y2 + y3\nfw ~ x1 + x2\nlevel: 2\nfb =~ y1 + y2 + y3\nfb ~ w1 + w2"),
  list(id = "two_levels_x_on_both", text = "level: 1\nfw =~ y1 + a*y2 + y3\nfw ~ x1\nlevel: 2\nfb =~ y1 + a*y2 + y3\ny1 ~~ 0*y1\nfb ~ x1 + w1"),
  list(id = "two_levels_saturated", text = "level: 1\ny1 ~~ y2\ny1 ~~ y3\ny2 ~~ y3\nlevel: 2\ny1 ~~ y2\ny1 ~~ y3\ny2 ~~ y3"),
  list(id = "ordinal_mixed", text = "f =~ N1 + N2 + x1 + x2\nN1 | t1 + t2", ordered = list(N1 = 3, N2 = 4)),
  list(id = "ordinal_binary", text = one, ordered = list(N1 = 2, N2 = 2, N3 = 2, N4 = 2)),
  list(id = "ordinal_residual_cov", text = paste0(one, "\nN1 ~~ N2\ny ~ f"), ordered = list(N1 = 3, N2 = 3, N3 = 3, N4 = 3), parameterization = "theta")
)
for (form in c("delta", "theta")) for (std in c(FALSE, TRUE)) for (k in 1:4) {
  equal <- c("thresholds", "loadings", "intercepts", "residuals")[seq_len(k)]
  models[[length(models) + 1]] <- list(
    id = sprintf("ordinal_groups_%s_%d%s", form, k, if (std) "_std_lv" else ""), text = one, n_groups = 2,
    ordered = list(N1 = 3, N2 = 3, N3 = 3, N4 = 3), parameterization = form, std_lv = std, equal = equal)
}
models[[length(models) + 1]] <- list(id = "ordinal_groups_loadings", text = one, n_groups = 2,
  ordered = list(N1 = 3, N2 = 3, N3 = 3, N4 = 3), equal = c("loadings"))

bfi <- read.csv("data/bfi.csv")
items <- paste0("N", 1:5)
bfi <- bfi[complete.cases(bfi[, c(items, "gender")]), ]
steps <- c("thresholds", "loadings", "intercepts", "residuals")
for (form in c("theta", "delta")) for (k in 0:(if (form == "theta") 4 else 3)) {
  text <- as.character(measEq.syntax(
    "neuro =~ N1 + N2 + N3 + N4 + N5", data = bfi, ordered = items, parameterization = form,
    ID.fac = "std.lv", ID.cat = "Wu.Estabrook.2016", group = "gender",
    group.equal = if (k == 0) "" else steps[seq_len(k)]))
  models[[length(models) + 1]] <- list(
    id = sprintf("measeq_%s_%d", form, k), text = text, n_groups = 2, parameterization = form,
    ordered = as.list(setNames(rep(6, 5), items)))
}

value <- function(x, otherwise) if (is.null(x)) otherwise else x
entries <- lapply(models, function(m) {
  table <- lavaanify(
    m$text, auto = TRUE, model.type = "sem", warn = FALSE,
    fixed.x = value(m$fixed_x, TRUE), std.lv = value(m$std_lv, FALSE),
    orthogonal = value(m$orthogonal, FALSE), ngroups = value(m$n_groups, 1L),
    meanstructure = value(m$means, FALSE) || value(m$n_groups, 1) > 1 || !is.null(m$ordered) || grepl("level:", m$text),
    parameterization = value(m$parameterization, "delta"),
    nthresholds = if (is.null(m$ordered)) NULL else unlist(m$ordered) - 1,
    group.equal = value(m$equal, ""), group.partial = value(m$partial, ""))
  n_free <- max(table$free)
  ceq <- lavaan:::lav_partable_constraints_ceq(table)
  rank <- if (is.null(body(ceq))) 0 else qr(lavaan:::lav_func_jacobian_complex(ceq, x = rep(0.1, n_free)))$rank
  keep <- !(table$op %in% c("==", ":="))
  rows <- table[keep, ]
  at <- 0.5 + 0.01 * seq_len(nrow(table))  # any values will do; no constraint has to hold
  at[table$op == "~~" & table$lhs != table$rhs] <- 0.1
  given <- keep & (table$free > 0 | (is.na(table$ustart) & table$exo > 0))
  table$ustart[given] <- at[given]
  table$exo[table$exo > 0 & table$free > 0] <- 0L
  filled <- table[keep, ]
  filled$label <- ""
  fit <- try(lavaan(filled, do.fit = FALSE, parameterization = value(m$parameterization, "delta")), silent = TRUE)
  if (inherits(fit, "try-error")) message(m$id, ": lavaan has no place for some parameter")
  ordinal <- !is.null(m$ordered)
  implied <- if (inherits(fit, "try-error")) list() else lapply(seq_along(fit@implied$cov), function(b) list(
    observed = rownames((if (length(fit@implied$cov) > 1) fitted(fit)[[b]] else fitted(fit))$cov),
    cov = fit@implied$cov[[b]], mean = as.vector(fit@implied$mean[[b]]),
    thresholds = if (ordinal) as.vector(fit@implied$th[[b]])[fit@Model@th.idx[[b]] > 0] else numeric(0)))
  list(id = m$id, model = m, n_unique = n_free - rank,
       df = lavaan:::lav_partable_ndat(table) - n_free + rank,
       rows = list(lhs = rows$lhs, op = rows$op, rhs = rows$rhs, block = rows$block, free = rows$free > 0,
                   value = rows$ustart, label = rows$label, exogenous = rows$exo > 0, at = at[keep]),
       implied = implied)
})
write_json(
  list(topic = "parameter tables", versions = list(
    R = as.character(getRversion()), lavaan = as.character(packageVersion("lavaan")),
    semTools = as.character(packageVersion("semTools"))), entries = entries),
  "sem_tables.json", auto_unbox = TRUE, na = "null", digits = NA)
