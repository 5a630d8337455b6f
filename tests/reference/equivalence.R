# T-size RMSEA and adjusted cut-offs of equivalence tests by the authors' package equaltestMI
# (Jiang, Mai & Yuan, 2017): remotes::install_github("gabriellajg/equaltestMI").
# Run from the root of the repository.
library(jsonlite)
cutoffs <- equaltestMI::eqMI.RMSEA
size <- equaltestMI::eqMI.ncp
grid <- expand.grid(m = 1:5, N = c(150, 400, 3000), df = c(2, 9, 60))
grid$cutoffs <- lapply(seq_len(nrow(grid)), function(i)
  suppressWarnings(as.numeric(cutoffs(grid$N[i], grid$m[i], grid$df[i])))[5:8])
cases <- data.frame(T = c(8.824, 28.446, 40, 12), df = c(6, 24, 9, 6), N = c(400, 200, 600, 900),
                    m = c(2, 1, 3, 2))
cases$rmsea_t <- sapply(seq_len(nrow(cases)), function(i)
  size(cases$T[i], cases$df[i], cases$N[i], cases$m[i])$RMSEA_t)
write_json(list(cutoffs = grid, sizes = cases, program = "equaltestMI 0.6.1"),
           "tests/reference/equivalence.json", digits = 12)
