# Values for tests/dimensionality/test_validity.py: Rscript validity.R > validity.json
# R 4.2.2, lavaan 0.6.14, semTools 0.5.6; data are data/hs1939.csv and data/bfi.csv.
suppressMessages({library(lavaan); library(semTools); library(jsonlite)})
options(digits = 15)
hs <- read.csv("data/hs1939.csv")
bfi <- read.csv("data/bfi.csv")
out <- list()
mat <- function(x) list(rows = rownames(x), cols = colnames(x), data = unclass(unname(as.matrix(x))))

# Standard errors of AVE, composite reliability and factor correlations, by lavaan's delta method.
model <- "
  visual =~ x1 + a2*x2 + a3*x3
  textual =~ x4 + x5 + x6
  speed =~ x7 + c8*x8 + c9*x9
  x1 ~~ e1*x1 ; x2 ~~ e2*x2 ; x3 ~~ e3*x3
  x7 ~~ g7*x7 ; x8 ~~ g8*x8 ; x9 ~~ g9*x9
  visual ~~ v*visual ; speed ~~ s*speed ; visual ~~ vs*speed
  ave_visual := (v/(v+e1) + a2^2*v/(a2^2*v+e2) + a3^2*v/(a3^2*v+e3))/3
  ave_speed := (s/(s+g7) + c8^2*s/(c8^2*s+g8) + c9^2*s/(c9^2*s+g9))/3
  q := (sqrt(v/(v+e1)) + a2*sqrt(v/(a2^2*v+e2)) + a3*sqrt(v/(a3^2*v+e3)))^2
  cr_visual := q/(q + 3 - 3*ave_visual)
  w := (sqrt(s/(s+g7)) + c8*sqrt(s/(c8^2*s+g8)) + c9*sqrt(s/(c9^2*s+g9)))^2
  cr_speed := w/(w + 3 - 3*ave_speed)
  r_visual_speed := vs/sqrt(v*s)"
found <- subset(parameterEstimates(cfa(model, hs)), op == ":=")
out$delta <- setNames(lapply(seq_len(nrow(found)), function(i)
  list(estimate = found$est[i], std_error = found$se[i])), found$lhs)

# An item of two factors and two items that share more than their factor.
fit <- cfa("visual =~ x1 + x2 + x3 + x9
            textual =~ x4 + x5 + x6
            speed =~ x7 + x8 + x9
            x2 ~~ x3", hs)
est <- lavInspect(fit, "est")
out$crossed <- list(
  lambda = mat(est$lambda), psi = mat(est$psi), theta = mat(est$theta),
  sample_cov = mat(lavInspect(fit, "sampstat")$cov), std_loadings = mat(lavInspect(fit, "std")$lambda),
  reliability = mat(suppressWarnings(reliability(fit))), compRelSEM = as.list(compRelSEM(fit)),
  maximalRelia = as.numeric(maximalRelia(fit)))

# HTMT where an item is reverse-keyed, as answered and turned, and from polychoric correlations.
items <- c(paste0("A", 1:5), paste0("N", 1:5), paste0("E", 1:5))
x <- na.omit(bfi[items])
scales <- paste("agree =~ A1 + A2 + A3 + A4 + A5", "neuro =~ N1 + N2 + N3 + N4 + N5",
                "extra =~ E1 + E2 + E3 + E4 + E5", sep = "\n")
turned <- x
for (item in c("A1", "E1", "E2")) turned[[item]] <- 7 - turned[[item]]
out$htmt_bfi <- list(
  n = nrow(x),
  classic = mat(htmt(scales, x, htmt2 = FALSE)),
  signed_turned = mat(htmt(scales, turned, htmt2 = FALSE, absolute = FALSE)),
  htmt2 = mat(htmt(scales, x)),
  classic_ordered = mat(htmt(scales, x, htmt2 = FALSE, ordered = items)),
  htmt2_ordered = mat(htmt(scales, x, ordered = items)))
cat(toJSON(out, auto_unbox = TRUE, digits = I(15), pretty = TRUE, null = "null", na = "null"))
