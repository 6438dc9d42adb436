"""Which data sets there are: the package that each lies in, and the files that are taken out."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What brings a package, and what it is."""

    WHEEL = "wheel"
    SDIST = "sdist"
    DEBIAN = "debian"


class Form(Enum):
    """What is made of a package's file."""

    AS_IT_IS = "as it is"
    CSV_OF_R = "CSV of a data frame that R saved"
    VERSES_OF_SWORD = "verses and their names, one a line, of the folder of a SWORD module"


@dataclass(frozen=True)
class Member:
    """A file of a package.

    ``path`` leads to it: where there are several parts, each but the last is an archive, in which
    the next one lies. ``sha256`` is that of the file in its ``form``, so it holds whatever the
    package's archive.
    """

    path: tuple[str, ...]
    sha256: str
    form: Form = Form.AS_IT_IS


@dataclass(frozen=True)
class Dataset:
    """A data set: a package by its name and version, and its files by the names that they get.

    ``sha256`` is the archive's, by which pip takes no other; apt has signatures for that.
    """

    kind: Kind
    package: str
    version: str
    members: Mapping[str, Member]
    sha256: str = ""


_FASHION = "usr/share/datasets/fashion-mnist"
_MODULES = "usr/share/sword/modules/texts/ztext"
_RATINGS = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
DATASETS: Mapping[str, Dataset] = {
    "peptides": Dataset(
        Kind.WHEEL,
        "modlamp",
        "4.3.3",
        {
            "peptides.csv": Member(
                ("modlamp/data/AMPvsUniProt.csv",),
                "e1db3dd659179118dcfca63723385f2f0c95c49d27060a90f7a9d5848250eb48",
            )
        },
        "6948bcbc4a9614d10b6b47a051d4576c42fe8e5487fbbeb3cfe0d8033eb27f91",
    ),
    "reviews": Dataset(
        Kind.SDIST,
        "vaderSentiment",
        "3.3.2",
        {
            "reviews.tsv": Member(
                (_RATINGS, "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"),
                "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350",
            )
        },
        "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    ),
    "splices": Dataset(
        Kind.DEBIAN,
        "r-cran-mlbench",
        "2.1-3-1",
        {
            "splices.csv": Member(
                ("usr/lib/R/site-library/mlbench/data/DNA.rda",),
                "44f669458489c02c426fe51ad2f57a0d200665c754a5ca49be572be4fcfd5e1b",
                Form.CSV_OF_R,
            )
        },
    ),
    "verses-english": Dataset(
        Kind.DEBIAN,
        "sword-text-web",
        "426.0-1",
        {
            "verses-english.tsv": Member(
                (f"{_MODULES}/engWEB2015eb",),
                "385ec5e225f4127bb0120aa1195a5343c281db46322a0841f248b8dd4d9f2a22",
                Form.VERSES_OF_SWORD,
            )
        },
    ),
    "verses-spanish": Dataset(
        Kind.DEBIAN,
        "sword-text-sparv",
        "2.60-1",
        {
            "verses-spanish.tsv": Member(
                (f"{_MODULES}/spaRV1909eb",),
                "de865d7ff3496a956d1a76fd2c55272d73adbf63f93f7555bfe8ceaf2d195e82",
                Form.VERSES_OF_SWORD,
            )
        },
    ),
    "fashion": Dataset(
        Kind.DEBIAN,
        "dataset-fashion-mnist",
        "0.0~git20200523.55506a9-1",
        {
            name: Member((f"{_FASHION}/{name}",), sha256)
            for name, sha256 in (
                (
                    "train-images-idx3-ubyte.gz",
                    "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
                ),
                (
                    "train-labels-idx1-ubyte.gz",
                    "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
                ),
                (
                    "t10k-images-idx3-ubyte.gz",
                    "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
                ),
                (
                    "t10k-labels-idx1-ubyte.gz",
                    "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
                ),
            )
        },
    ),
}
"""`modlamp` is under BSD-3-Clause, `vaderSentiment` (Hutto and Gilbert, 2014) and Fashion-MNIST
(Xiao, Rasul and Vollgraf, 2017) under MIT, `mlbench` under GPL-2; its `DNA` is the UCI repository's
"Molecular Biology (Splice-junction Gene Sequences)" (Towell, Noordewier and Shavlik, 1992). The
World English Bible and the Reina-Valera of 1909 are in the public domain."""
