"""The literature that the groups name."""

__all__ = ["SOURCES"]

SOURCES = (
    "M. Abramowitz, I. A. Stegun, *Handbook of Mathematical Functions*, National Bureau of Standards, 1964.",
    "E. Acar, D. M. Dunlavy, T. G. Kolda, A scalable optimization approach for fitting canonical tensor "
    "decompositions, *Journal of Chemometrics* 25, 2011.",
    "J. L. Ba, J. R. Kiros, G. E. Hinton, Layer normalization, arXiv:1607.06450, 2016.",
    "C. M. Bishop, *Pattern Recognition and Machine Learning*, Springer, 2006.",
    "P. Blanchard, D. J. Higham, N. J. Higham, Accurately computing the log-sum-exp and softmax functions, "
    "*IMA Journal of Numerical Analysis* 41, 2021.",
    "S. Boyd, L. Vandenberghe, *Convex Optimization*, Cambridge University Press, 2004.",
    "T. Dao, D. Y. Fu, S. Ermon, A. Rudra, C. Ré, FlashAttention, *NeurIPS*, 2022.",
    "V. Dumoulin, F. Visin, A guide to convolution arithmetic for deep learning, arXiv:1603.07285, 2016.",
    "M. B. Giles, Collected matrix derivative results for forward and reverse mode algorithmic differentiation, "
    "*Advances in Automatic Differentiation*, Springer, 2008.",
    "I. Goodfellow, Y. Bengio, A. Courville, *Deep Learning*, MIT Press, 2016.",
    "T. G. Kolda, B. W. Bader, Tensor decompositions and applications, *SIAM Review* 51, 2009.",
    "S. Liu, G. Trenkler, Hadamard, Khatri-Rao, Kronecker and other matrix products, "
    "*International Journal of Information and Systems Sciences* 4, 2008.",
    "J. R. Magnus, H. Neudecker, *Matrix Differential Calculus with Applications in Statistics and Econometrics*, "
    "3rd edition, Wiley, 2019.",
    "P. McCullagh, *Tensor Methods in Statistics*, Chapman and Hall, 1987.",
    "T. P. Minka, Old and new matrix algebra useful for statistics, 2000.",
    "I. Murray, Differentiation of the Cholesky decomposition, arXiv:1602.07527, 2016.",
    "R. Orús, A practical introduction to tensor networks, *Annals of Physics* 349, 2014.",
    "I. V. Oseledets, Tensor-train decomposition, *SIAM Journal on Scientific Computing* 33, 2011.",
    "PP: K. B. Petersen, M. S. Pedersen, *The Matrix Cookbook*, version of November 15, 2012.",
    "A. Vaswani et al., Attention is all you need, *NeurIPS*, 2017.",
    "B. Zhang, R. Sennrich, Root mean square layer normalization, *NeurIPS*, 2019.",
)
