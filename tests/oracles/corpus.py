"""The corpus: einsum strings that other people's test suites exercise, and seeded random ones.

A case is a string and the shapes of its operands, small enough for a Hessian. Letters take the sizes 2, 3,
4, 2, ... in order of appearance, so that transposed axes are noticed; where an operand would be large they
shrink. Strings with an ellipsis, and those that broadcast, come with the shapes of their source.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

__all__ = ["CASES", "EMBEDDINGS", "Case"]

Shape = tuple[int, ...]

_LARGEST = 40  # entries of an operand: its Hessian has the square of that
_WIDEST = 2000  # steps of the loop over all labels


@dataclass(frozen=True)
class Case:
    spec: str
    shapes: tuple[Shape, ...]

    def __str__(self) -> str:
        return self.spec.replace(" ", "_")


# numpy/_core/tests/test_einsum.py: the sums, the views, the broadcasts, and the comparisons of optimised paths.
_NUMPY = """
    ij,jk->ik ii->i ij-> i-> i,i-> ij->i i->i ijk,j->ijk ik,kj->ij ijkl,k->ijl aabb->ab ijij-> mi,mi,mi->m
    im,im,im->m i,i->i i,->i ,i->i ,i-> i,-> i,i,i-> i,i,i,i-> i,i,i->i ij,jh ij->j jii->ij iii->i ijk->jik ij,jk,kl
    z,mz,zm-> ij,ij->j ji,i-> i,ij-> ij,i-> ij,i->i ijklm,ijn,ijn-> ijklm,ijn-> x,yx,zx->xzy i,j ij,j ji,j ij,jk
    ijk,jil->kl ijkl,k i,i ii ji ij , -> cl,cpx->lpx cl,cpxy->lpxy ijp,ipq,ikq->ijk obk,ijk->ioj cab,cdd->ab
    aabcb,abc bbcdc->d a,a,a->a a,b,c->abc a,ac,ab,ad,cd,bd,bc-> ijk,kl,jl ijk,kl,jl,i->i abjk,kl,jl
    abjk,kl,jl,ab->ab acdf,jbje,gihb,hfac cacc,bcb-> gah,cdbcghefg->ef jhcabhijaci,dfijejgh->fgje
    baegffahgc,hdggeff->dhg cehgbaifff,fhhdegih->cdghbi ab,bc,cd,de->ae a,ab,abc->abc a,b,ab->ab
    ea,fb,gc,hd,abcd->efgh ea,fb,abcd,gc,hd->efgh abcd,ea,fb,gc,hd->efgh acdf,jbje,gihb,hfac,gfac,gifabc,hfac
    cd,bdhe,aidb,hgca,gc,hgibcd,hgac abhe,hidj,jgba,hiab,gab bde,cdh,agdb,hica,ibd,hgicd,hiac
    chd,bde,agbc,hiad,hgc,hgi,hiad chd,bde,agbc,hiad,bdi,cgh,agdb bdhe,acad,hiab,agac,hibd ab,ab,c-> ab,ab,c->c
    ab,ab,cd,cd-> ab,ab,cd,cd->ac ab,ab,cd,cd->cd ab,ab,cd,cd,ef,ef-> ab,cd,ef->abcdef ab,cd,ef->acdf
    ab,cd,de->abcde ab,cd,de->be ab,bcd,cd->abcd ab,bcd,cd->abd eb,cb,fb->cef dd,fb,be,cdb->cef bca,cdb,dbf,afc->
    dcc,fce,ea,dbf->ab fdf,cdd,ccd,afe->ae abcd,ad ed,fcd,ff,bcf->be baa,dcf,af,cde->be bd,db,eac->ace
    fff,fae,bef,def->abd efc,dbc,acf,fd->abe ba,ac,da->bcd ab,ab ab,ba abc,abc abc,bac abc,cba aab,fa,df,ecc->bde
    ecb,fef,bad,ed->ac bcf,bbb,fbf,fc-> bb,ff,be->e bcb,bb,fc,fff-> fbb,dfd,fc,fc-> afd,ba,cc,dc->bf
    adb,bc,fa,cfc->d bbd,bda,fc,db->acf dba,ead,cad->bce aef,fbc,dca->bde
"""

# opt_einsum/tests: test_contract, test_backends, test_blas, test_edge_cases, test_input, test_paths, test_sharing.
_OPT_EINSUM = """
    a,->a ab,->ab ,ab,->ab ,,-> ab,-> ,a,->a ,,a,->a ab,bc ab,cb ba,bc ba,cb abcd,cd abcd,ab abcd,cdef
    abcd,cdef->feba abcd,efdc aab,bc->ac ab,bcc->ac aab,bcc->ac baa,bcc->ac aab,ccb->ac ij,jk,kl->il ab,bc,cd
    hbc,bdef,cdkj,ji,ikeh,lfo bdef,cdkj,ji,ikeh,hbc,lfo ijab,acd,bce,df,ef->ji ab,cd,ad,cb a,b ab,bc->ac
    ajk,kbl,jl,ab->ab ab,bc,bd->acd bc,ab->bca bca,bd->acd ab,bc->ca abc,bcd,dea abc,def->fedcba abc,bcd,df->fa
    ijk,ikj i,j->ij ijk,k->ij AB,BC->CA ij,jk,kl->li ij,jk,kl-> abc,bdef,fghj,cem,mhk,ljk->adgl abc,cfd,dbe,efa
    nlp,nlq,pl->n a,bcd,efg-> a,b,abc->c a,b,c ab,cd,ef,fg ab,bc,cd-> ab,bc,de-> ab,bc,cd->a ab,bc,cd->b ab,bc,cd->c
    a,b-> da,ab ijl,jlk->ik ij,kj->ik ijl,kjl->ik ji,jk->ik jli,jlk->ik ji,kj->ik jli,kjl->ik ij,jk->ki ijl,jlk->ki
    ij,kj->ki ijl,kjl->ki ji,jk->ki jli,jlk->ki ji,kj->ki jli,kjl->ki ilj,jlk->ik ijl,ljk->ik ilj,kjl->ik
    ijl,klj->ik lji,jlk->ik jli,ljk->ik ijk,ikj-> ijk,ik->j ijj,jk->ik ijk,j->ij ij,ij->ij
"""

# jax/tests/lax_numpy_einsum_test.py, its strings from Dask and TensorFlow among them.
_JAX = """
    i,j,k->ijk ij,j->i ijk,j->i iji,i->j ij,ij-> nij,jk->nik sa,shb->shab ijk->j ijk->kij ijk->ki ii-> iii-> iij->i
    iijkk->i iijkk->ik iijkl->il ij->ij ijj,k->ik ij,ij,jk->ik abc,bad->abcd abcdef,bcdfg->abcdeg ab,b aa a,a->
    a,a->a a,a a ba,b ba,b-> defab,fedbc->defac aa->a ijkl,ijml->ijkm ntk,kd,dc->nc baa->ba ij,jkl,klm ijk,kl->ijl
"""

# Structure that is easy to get wrong: labels in one operand only, traces inside products, attention, bilinear forms.
_STRUCTURE = """
    ijji,kji,jj->kj iij->j k,nk-> ,ab->ab i,jk,l-> iijj->ji abcabc->bca abab->ba aabbcc-> ijk,ijk->k ia,ib,ic->abc
    bhqd,bhkd->bhqk bhqk,bhkd->bqhd bi,ijk,bk->bj i,ij,j-> i,ij,jk,k-> ij,ji-> ij,jk,ki-> ij,ik,jk-> ab,bc,ca->abc
    i,i,i,i,i-> ij,j,j,j->i aij,bjk,cki->abc abi,aci,adi->bcd a,b,c,d->dcba ab,cd->dbca abc->cab abcd->dbac aba->ab
    zyx,xw,wv->yzv ij,kl->ijkl iik,kjj->ij i,i,j,j-> ab,b,b->a Ab,bC->AC Ba,aB aB,Bc
"""

# NumPy reads blanks as nothing; shapes are given where an ellipsis or a broadcast needs them.
_SHAPED: tuple[tuple[str, tuple[Shape, ...]], ...] = (
    ("ij, jk", ((2, 3), (3, 4))),
    ("ijk, jil -> kl", ((3, 4, 2), (4, 3, 2))),
    (" i , i -> ", ((3,), (3,))),
    ("ij , j -> i", ((2, 3), (3,))),
    ("...", ((2, 3),)),
    ("...->...", ((2, 3),)),
    ("..., ...", ((3, 2), (2, 3, 2))),
    ("...,...", ((4,), (4,))),
    ("...,...->...", ((), (3,))),
    ("...i,...i", ((3,), (3,))),
    ("...i, ...i", ((2, 3, 2), (2,))),
    ("i..., i...", ((3, 2, 2), (3,))),
    ("...i->...", ((2, 3, 2),)),
    ("i...->...", ((2, 3, 2),)),
    ("...ii->...i", ((2, 3, 3),)),
    ("ii...->...i", ((3, 3, 2),)),
    ("...ii->i...", ((2, 3, 3),)),
    ("ii...->i...", ((3, 3, 2),)),
    ("i...i->i...", ((3, 2, 3),)),
    ("i...i->...i", ((3, 2, 3),)),
    ("i...k->...", ((2, 3, 4),)),
    ("i...k", ((2, 3, 4),)),
    ("ij...,j...->i...", ((1, 2), (2, 2, 1))),
    ("ij...,j...->ij...", ((2, 3, 4), (3,))),
    ("ij...,...j->ij...", ((2, 3, 4), (3,))),
    ("ij...,j->ij...", ((2, 3, 4), (3,))),
    ("ik...,k...->i...", ((4, 3), (3, 2))),
    ("ik...,...kj->i...j", ((4, 3), (3, 2))),
    ("...k,kj", ((4, 3), (3, 2))),
    ("ik,k...->i...", ((4, 3), (3, 2))),
    ("...kl,k", ((2, 2, 4, 2), (4,))),
    ("...kl,k...", ((2, 2, 4, 2), (4,))),
    ("...lmn,...lmno->...o", ((1, 2, 2, 3), (2, 2, 3, 2))),
    ("...lmn,lmno->...o", ((1, 1, 2, 2, 3), (2, 2, 3, 2))),
    ("...ij,...jk->...ik", ((1, 5), (5, 5))),
    ("...ij,...jk->...ik", ((2, 3, 2), (1, 2, 3))),
    ("...ft,mf->...mt", ((2, 3, 2), (4, 3))),
    ("...a->...a", ((2, 3, 2),)),
    ("...a->...", ((2, 3, 2),)),
    ("...a", ((3, 2, 2),)),
    ("a...->...", ((2, 3, 2),)),
    ("a...a->...a", ((2, 3, 3, 2),)),
    ("...b,...a->...", ((2, 2, 3), (2, 2, 2))),
    ("...a,...b", ((2, 2, 2), (2, 2, 3))),
    ("...a,ab", ((2, 3), (3, 4))),
    ("...ijk->...ki", ((2, 2, 3, 2),)),
    ("...ijk->ki", ((3, 4, 2),)),
    ("ij...,jk...->ik...", ((2, 3, 2, 1), (3, 4, 2, 1))),
    ("ab...,bc...->ac...", ((2, 3, 2, 2), (3, 2, 2, 2))),
    ("a...a", ((2, 2, 3, 2),)),
    ("abc...->cba...", ((2, 3, 2, 2),)),
    ("...ab->...a", ((2, 2, 3, 2),)),
    ("a...a->a...", ((2, 3, 2, 2),)),
    ("...abc,...abcd->...d", ((2, 2, 2, 2), (2, 2, 2, 2, 2))),
    ("ab...,b->ab...", ((2, 3, 2, 2), (3,))),
    ("...ij,...j", ((2, 1, 3, 3), (2, 4, 3))),
    ("...i,...j,...k->...kij", ((2, 2), (1, 3), (2, 2))),
    ("...,i->i...", ((2, 3), (2,))),
    ("i...,i...,i...->...", ((2, 3), (2, 1), (2,))),
)

# Repeated output labels: the entries off the diagonal are zeros. No other library reads these.
_EMBEDDINGS = """
    i->ii i->iii ij->jij ij->iij ij->iijj ij->ijij ij->jiij i,i->ii i,j->iji i,j->jiij ij,jk->iik ij,jk->ikik
    ij,jk->jijk ij,j->ii ij,ji->ii ii->ii ii->iii iij->jj iij->ijj ijk->jj ijk->ikik ijk->kjijk ,i->ii i,->ii
    i,ij,j->jj i,i,j->ijj a,ab->abb ab,ab->aabb ab,bc,ca->aba abc->aabbcc abc,bd->adad ab,cd->abab aab->bab
    ij,jk,kl->lil bij,bjk->bibk i,i->iii ij->jj ij->ii iji->jij ijk,k->iijj
"""


def _sizes(terms: list[str]) -> dict[str, int]:
    """Sizes of the letters: 2, 3, 4, 2, ..., made smaller until every operand and the loop nest is small."""
    letters = list(dict.fromkeys("".join(terms)))
    for choices in ((2, 3, 4), (2, 3), (2,), (2, 2, 1), (2, 1), (2, 1, 1), (2, 1, 1, 1)):
        sizes = dict(zip(letters, cycle(choices), strict=False))
        largest = max(math.prod(sizes[letter] for letter in term) for term in terms)
        if largest <= _LARGEST and math.prod(sizes.values()) <= _WIDEST:
            return sizes
    raise ValueError(f"no small sizes for {terms}")


def _case(spec: str) -> Case:
    terms = spec.split("->", maxsplit=1)[0].split(",")
    sizes = _sizes(terms)
    return Case(spec, tuple(tuple(sizes[letter] for letter in term) for term in terms))


def _random_spec(rng: random.Random, repeat_output: bool) -> str:
    """A string of one to four operands, with repeated labels, scalars, outer products and implicit outputs."""
    letters = "abcdefg"[: rng.randint(1, 6)]
    terms = ["".join(rng.choices(letters, k=rng.choice((0, 1, 2, 2, 3, 3, 4)))) for _ in range(rng.randint(1, 4))]
    used = sorted(set("".join(terms)))
    if repeat_output:
        used = used or ["a"]
        terms[0] = terms[0] or used[0]
        kept = rng.sample(used, rng.randint(1, min(3, len(used))))
        out = kept + rng.choices(kept, k=rng.randint(1, 2))
        rng.shuffle(out)
        return ",".join(terms) + "->" + "".join(out)
    if rng.random() < 0.2:
        return ",".join(terms)
    return ",".join(terms) + "->" + "".join(rng.sample(used, rng.randint(0, min(4, len(used)))))


def _generated(count: int, seed: int, repeat_output: bool = False) -> Iterator[str]:
    rng = random.Random(seed)
    for _ in range(count):
        spec = _random_spec(rng, repeat_output)
        if spec:  # no operands at all otherwise: one scalar under the implicit rule
            yield spec


def _distinct(*cases: Case) -> tuple[Case, ...]:
    found: dict[str, Case] = {}
    for case in cases:
        found.setdefault(case.spec.replace(" ", "") + str("..." in case.spec and case.shapes), case)
    return tuple(found.values())


_COLLECTED = f"{_NUMPY} {_OPT_EINSUM} {_JAX} {_STRUCTURE}".split()

CASES = _distinct(
    *map(_case, _COLLECTED),
    *(Case(spec, shapes) for spec, shapes in _SHAPED),
    *map(_case, _generated(130, seed=2026)),
)

EMBEDDINGS = _distinct(*map(_case, _EMBEDDINGS.split()), *map(_case, _generated(30, seed=2027, repeat_output=True)))
