"""Systems for noisy speech that are trained as a whole: TRNet, MLKD, MV-BiSSM."""
