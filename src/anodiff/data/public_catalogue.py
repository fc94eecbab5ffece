"""The public series that are known: what they are, who distributes them, and how their folders look."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from anodiff.data import public_archives as archives
from anodiff.data import public_machines as machines
from anodiff.data.labelled import Layout


@dataclass(frozen=True)
class Collection:
    """A public set.

    Attributes:
        title: its name and what it is.
        origin: who distributes it.
        shape: how its folder must look.
        layout: finds its series in a folder.
        folders: usual names of its folder.
        copy: finds a part of it in ANODIFF_DATA/series.
    """

    title: str
    origin: str
    shape: str
    layout: Layout | None
    folders: Sequence[str] = ()
    copy: Layout | None = None


_ITRUST = "iTrust, Singapore University of Technology and Design, on request (save its Excel sheets as csv)"
_TELEMANOM = "the project telemanom of Hundman and others, 2018"
_TELEMANOM_SHAPE = "train/*.npy, test/*.npy and labeled_anomalies.csv"
_TELEMANOM_FOLDERS = ("telemanom/data", "telemanom", "SMAP_MSL", "data")
_TSB = "the project TSB-AD of Liu and Paparrizos, 2024"
_HERE = "the data folder of this project"


def _copied(collection: str, prefix: str = "") -> Layout:
    return partial(archives.own, collection=collection, prefix=prefix)


COLLECTIONS: dict[str, Collection] = {
    "smd": Collection(
        "SMD, server machines",
        "the project OmniAnomaly of Su and others, 2019",
        "train/*.txt, test/*.txt and test_label/*.txt",
        machines.smd,
        ("ServerMachineDataset", "SMD", "OmniAnomaly/ServerMachineDataset"),
        _copied("multivariate", "SMD_"),
    ),
    "smap": Collection(
        "SMAP, telemetry of a satellite",
        _TELEMANOM,
        _TELEMANOM_SHAPE,
        partial(machines.telemanom, spacecraft="SMAP"),
        ("SMAP", *_TELEMANOM_FOLDERS),
        _copied("multivariate", "SMAP_"),
    ),
    "msl": Collection(
        "MSL, telemetry of a rover",
        _TELEMANOM,
        _TELEMANOM_SHAPE,
        partial(machines.telemanom, spacecraft="MSL"),
        ("MSL", *_TELEMANOM_FOLDERS),
        _copied("multivariate", "MSL_"),
    ),
    "psm": Collection(
        "PSM, pooled server metrics",
        "the project RANSynCoders of eBay (Abdulaal and others, 2021)",
        "train.csv, test.csv and test_label.csv",
        machines.psm,
        ("PSM", "RANSynCoders/data", "data/PSM"),
    ),
    "swat": Collection(
        "SWaT, a water treatment plant",
        _ITRUST,
        "a csv with 'normal' (or 'train') in its name and one with 'attack' (or 'test') and a column Normal/Attack",
        partial(machines.plant, collection="swat", calm=("normal", "train"), attacked=("attack", "test")),
        ("SWaT", "SWAT", "swat"),
    ),
    "wadi": Collection(
        "WADI, a water distribution network",
        _ITRUST,
        "WADI_14days*.csv and WADI_attackdataLABLE.csv",
        partial(machines.plant, collection="wadi", calm=("14days", "train"), attacked=("attack", "test")),
        ("WADI", "wadi"),
    ),
    "nab": Collection(
        "NAB, the Numenta Anomaly Benchmark",
        "the project NAB of Numenta (Lavin and Ahmad, 2015)",
        "data/*/*.csv and labels/combined_windows.json",
        archives.nab,
        ("NAB", "NAB-master"),
    ),
    "ucr": Collection(
        "UCR, the anomaly archive with one anomaly in each series",
        "the UCR Time Series Anomaly Archive of Wu and Keogh, 2021",
        "*_UCR_Anomaly_<name>_<train end>_<start>_<end>.txt, in folders or not",
        archives.ucr,
        ("UCR", "UCR_TimeSeriesAnomalyDatasets2021", "AnomalyDatasets_2021"),
        _copied("ucr"),
    ),
    "tsb-ad-u": Collection(
        "TSB-AD-U, univariate series",
        _TSB,
        "TSB-AD-U/*_tr_<train end>_1st_<first anomaly>.csv with a column Label",
        partial(archives.tsb, collection="tsb-ad-u"),
        ("TSB-AD-U", "Datasets/TSB-AD-U", "TSB-AD/Datasets/TSB-AD-U"),
    ),
    "tsb-ad-m": Collection(
        "TSB-AD-M, multivariate series",
        _TSB,
        "TSB-AD-M/*_tr_<train end>_1st_<first anomaly>.csv with a column Label",
        partial(archives.tsb, collection="tsb-ad-m"),
        ("TSB-AD-M", "Datasets/TSB-AD-M", "TSB-AD/Datasets/TSB-AD-M"),
    ),
    "skab": Collection(
        "SKAB, a water circulation testbed",
        "the project SKAB of Katser and Kozitsin, 2020",
        "valve1/*.csv, valve2/*.csv and other/*.csv with columns anomaly and changepoint",
        archives.skab,
        ("SKAB/data", "SKAB", "SKAB-master/data", "data"),
        _copied("multivariate", "SKAB_"),
    ),
    "yahoo": Collection(
        "Yahoo S5, labelled series of Yahoo services",
        "Yahoo Webscope, on request (set S5)",
        "A1Benchmark/*.csv to A4Benchmark/*.csv",
        archives.yahoo,
        ("Yahoo", "yahoo", "S5", "ydata-labeled-time-series-anomalies-v1_0"),
    ),
    "asd": Collection(
        "ASD, application servers",
        _HERE,
        "multivariate.csv and multivariate/ASD_*.npz",
        None,
        (),
        _copied("multivariate", "ASD_"),
    ),
    "univariate": Collection(
        "univariate series", _HERE, "univariate.csv and univariate/*.npz", None, (), _copied("univariate")
    ),
    "multivariate": Collection(
        "multivariate series", _HERE, "multivariate.csv and multivariate/*.npz", None, (), _copied("multivariate")
    ),
}
