# Rotations by GPArotation, iterated far beyond its defaults, of the unrotated loadings stored in
# gold/04_efa.json; psych's promax from a varimax iterated as far. GPArotation ends by exhausting
# maxit: rounding stops it at a gradient of about 1e-8, which is stored. Run from this folder: Rscript rotation.R; writes rotation.json.
suppressMessages({library(GPArotation); library(psych); library(jsonlite)})

gold <- fromJSON("gold/04_efa.json", simplifyVector = FALSE)$entries
names(gold) <- vapply(gold, function(entry) entry$id, "")
unrotated <- function(dataset) {
  stored <- gold[[paste0("fa_minres_none_", dataset)]]$values$tight$loadings$data
  do.call(rbind, lapply(stored, unlist))
}

# Two different partly specified targets, one per data set: 0 where an item should not load.
target <- function(A) {
  m <- ncol(A)
  rotated <- stats::varimax(A, eps = 1e-14)$loadings
  T <- ifelse(abs(rotated) > 0.3, NA, 0)
  T[, m] <- ifelse(abs(rotated[, m]) > 0.3, 0.6 * sign(rotated[, m]), 0)
  T
}

tight <- list(eps = 1e-10, maxit = 20000)
calls <- function(A) {
  T <- target(A)
  list(
    quartimax = list("quartimax"),
    geominQ = list("geominQ"), geominT = list("geominT"),
    bifactorQ = list("bifactorQ"), bifactorT = list("bifactorT"),
    targetQ = list("targetQ", Target = T), targetT = list("targetT", Target = T),
    oblimin_normalize = list("oblimin", normalize = TRUE),
    oblimin_gam_minus_1 = list("oblimin", gam = -1),
    varimax_plain = list("Varimax", normalize = FALSE)
  )
}

entries <- list()
for (dataset in c("hs1939", "bfi25")) {
  A <- unrotated(dataset)
  for (id in names(calls(A))) {
    call <- calls(A)[[id]]
    fit <- suppressWarnings(do.call(call[[1]], c(list(A), call[-1], tight)))
    last <- fit$Table[nrow(fit$Table), ]
    Phi <- if (is.null(fit$Phi)) diag(ncol(A)) else fit$Phi
    options <- setdiff(names(call), c("", "Target"))
    shown <- paste0(options, "=", vapply(call[options], format, ""), recycle0 = TRUE)
    if (!is.null(call$Target)) shown <- c(shown, "Target=target")
    entries[[length(entries) + 1]] <- list(
      id = paste0(id, "_", dataset),
      loadings_from = paste0("fa_minres_none_", dataset),
      method = paste0("GPArotation::", call[[1]], "(", paste(c("L", shown), collapse = ", "), ", eps=1e-10, maxit=20000)"),
      values = list(
        loadings = fit$loadings, Phi = Phi, target = call$Target,
        value = unname(last[2]), gradient_norm = 10^unname(last[3]),
        iterations = unname(last[1]), converged = fit$convergence
      )
    )
  }
  # psych::kaiser starts with stats::varimax at eps=1e-5; from its own optimum that stays put.
  varimax_first <- unclass(stats::varimax(A, eps = 1e-14)$loadings)
  fit <- psych::kaiser(varimax_first, rotate = "Promax")
  entries[[length(entries) + 1]] <- list(
    id = paste0("promax_kaiser_", dataset),
    loadings_from = paste0("fa_minres_none_", dataset),
    method = 'psych::kaiser(stats::varimax(L, eps=1e-14)$loadings, rotate="Promax")',
    values = list(loadings = unclass(fit$loadings), Phi = fit$Phi)
  )
}
out <- list(
  topic = "rotation", R = R.version.string,
  versions = list(GPArotation = as.character(packageVersion("GPArotation")),
                  psych = as.character(packageVersion("psych")),
                  jsonlite = as.character(packageVersion("jsonlite"))),
  script = "tests/reference/rotation.R", entries = entries
)
write(toJSON(out, digits = NA, auto_unbox = TRUE, na = "null", null = "null", matrix = "rowmajor", pretty = FALSE), "rotation.json")
for (e in entries) cat(e$id, e$values$value, e$values$gradient_norm, e$values$iterations, e$values$converged, "\n")
