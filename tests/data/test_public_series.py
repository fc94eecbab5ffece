import json
from pathlib import Path

import numpy as np
import pytest

from anodiff.data.public_series import COLLECTIONS, find
from anodiff.types import Misfit, Unreadable


def put(path: Path, content: str | np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text(content)
    else:
        np.save(path, content)


def one(collection: str, folder: Path, count: int = 1):
    found = find(collection, folder)
    assert len(found) == count
    name = next(iter(found))
    got = found[name]()
    assert (got.name, got.X.dtype, got.y.dtype) == (name, np.float64, np.int64)
    assert got.X.shape == (len(got.y), len(got.channels))
    return got


def test_smd(tmp_path: Path) -> None:
    for part, rows in (("train", "0.1,0.2\n0.3,0.4\n0.5,0.6\n"), ("test", "1,2\n3,4\n"), ("test_label", "0\n1\n")):
        put(tmp_path / "ServerMachineDataset" / part / "machine-1-1.txt", rows)
    got = one("SMD", tmp_path)
    assert (got.name, got.collection, got.y.tolist(), got.X_train.shape) == ("machine-1-1", "smd", [0, 1], (3, 2))
    assert one("smd", tmp_path / "ServerMachineDataset").X.tolist() == [[1, 2], [3, 4]]
    put(tmp_path / "ServerMachineDataset/test_label/machine-1-1.txt", "0\n")
    with pytest.raises(Unreadable, match="machine-1-1 has 2 rows and 1 labels"):
        one("smd", tmp_path)
    put(tmp_path / "ServerMachineDataset/test/machine-1-1.txt", "a,b\n")
    with pytest.raises(Unreadable, match=r"machine-1-1\.txt: damaged"):
        one("smd", tmp_path)


def test_telemanom(tmp_path: Path) -> None:
    index = 'chan_id,spacecraft,anomaly_sequences,class,num_values\nP-1,SMAP,"[[1, 2]]",[point],6\n'
    put(tmp_path / "labeled_anomalies.csv", index + 'M-1,MSL,"[[0, 0], [4, 9]]",[a],6\nP-1,SMAP,"[[2, 3]]",[a],6\n')
    for name in ("P-1", "M-1"):
        put(tmp_path / "data" / "train" / f"{name}.npy", np.zeros((4, 3)))
        put(tmp_path / "data" / "test" / f"{name}.npy", np.ones((6, 3)))
    assert one("smap", tmp_path).y.tolist() == [0, 1, 1, 1, 0, 0]
    got = one("msl", tmp_path / "data")
    assert (got.y.tolist(), got.X_train.shape, got.train_end) == ([1, 0, 0, 0, 1, 1], (4, 3), None)


def test_psm(tmp_path: Path) -> None:
    put(tmp_path / "PSM/train.csv", "timestamp_(min),feature_0,feature_1\n0.0,1,2\n1.0,,4\n")
    put(tmp_path / "PSM/test.csv", "timestamp_(min),feature_0,feature_1\n2,5,6\n3,7,8\n")
    put(tmp_path / "PSM/test_label.csv", "timestamp_(min),label\n2,0\n3,1\n")
    got = one("psm", tmp_path)
    assert (got.channels, got.y.tolist()) == (["feature_0", "feature_1"], [0, 1])
    assert np.isnan(got.X_train).tolist() == [[False, False], [True, False]]


@pytest.mark.parametrize("above", ["", "P1,,P2,\n"])
def test_swat(tmp_path: Path, above: str) -> None:
    rows = "28/12/2015 10:00:00 AM,1.5,2,Normal\n28/12/2015 10:00:01 AM,1.6,2,{}\n"
    put(
        tmp_path / "SWaT/SWaT_Dataset_Normal_v1.csv",
        above + " Timestamp,FIT101, MV101,Normal/Attack\n" + rows.format("Normal"),
    )
    put(
        tmp_path / "SWaT/SWaT_Dataset_Attack_v0.csv",
        " Timestamp, FIT101,MV101,Normal/Attack\n" + rows.format("A ttack"),
    )
    got = one("swat", tmp_path)
    assert (got.channels, got.y.tolist(), got.X_train.shape) == (["FIT101", "MV101"], [0, 1], (2, 2))
    put(tmp_path / "SWaT/SWaT_Dataset_Attack_v0.csv", "Timestamp,FIT101,MV101,Normal/Attack\n" + rows.format("perhaps"))
    with pytest.raises(Unreadable, match="'perhaps', which is neither"):
        one("swat", tmp_path)
    put(tmp_path / "SWaT/SWaT_Dataset_Attack_v0.csv", "Timestamp,FIT101,MV101\n1,2,3\n")
    with pytest.raises(Unreadable, match="no column of attacks"):
        one("swat", tmp_path)


def test_wadi(tmp_path: Path) -> None:
    path = "\\\\WIN\\LOG_DATA\\"
    put(
        tmp_path / "WADI/WADI_14days.csv",
        f"Log\n\nfrom here,,,\nRow,Date,Time,{path}1_AIT_001_PV,{path}2_LS_001_AL\n"
        "1,9/25/2017,6:00:00.000 PM,171.155,\n",
    )
    header = 'Row ,Date ,Time,1_AIT_001_PV,2_LS_001_AL,"Attack LABLE (1:No Attack, -1:Attack)"\n'
    put(
        tmp_path / "WADI/WADI_attackdataLABLE.csv",
        ",0,1,2,3,4\n" + header + "1,10/9/17,18:00:00,1,,1\n2,10/9/17,18:00:01,2,,-1\n,,,,,\n",
    )
    put(tmp_path / "WADI/WADI_attackdata.csv", "Row,Date,Time,1_AIT_001_PV,2_LS_001_AL\n1,10/9/17,18:00:00,1,\n")
    got = one("wadi", tmp_path)
    assert (got.channels, got.y.tolist(), got.X_train[0, 0]) == (["1_AIT_001_PV", "2_LS_001_AL"], [0, 1], 171.155)
    assert np.isnan(got.X[:, 1]).all()


def test_nab(tmp_path: Path) -> None:
    rows = "".join(f"2014-04-01 00:0{i}:00,{i}\n" for i in range(8))
    put(tmp_path / "NAB/data/real/a.csv", "timestamp,value\n" + rows)
    windows = {"real/a.csv": [["2014-04-01 00:02:00.000000", "2014-04-01 00:04:00.000000"]], "real/gone.csv": []}
    put(tmp_path / "NAB/labels/combined_windows.json", json.dumps(windows))
    got = one("nab", tmp_path)
    assert (got.name, got.y.tolist(), got.train_end) == ("real/a", [0, 0, 1, 1, 1, 0, 0, 0], 1)


@pytest.mark.parametrize("gap", ["\n", "   "])
def test_ucr(tmp_path: Path, gap: str) -> None:
    put(tmp_path / "UCR/FullData/001_UCR_Anomaly_my_set_3_5_7.txt", "  " + gap.join(f"{i}.5e+00" for i in range(9)))
    got = one("ucr", tmp_path)
    assert (got.train_end, got.y.tolist(), got.X[1, 0]) == (3, [0] * 5 + [1, 1, 0, 0], 1.5)


def test_tsb_ad(tmp_path: Path) -> None:
    put(tmp_path / "TSB-AD-U/001_NAB_id_1_Facility_tr_2_1st_2.csv", "Data,Label\n1e-05,0\n2e-05,0\n3e-05,1\n")
    put(tmp_path / "TSB-AD-M/001_SMD_id_1_Facility_tr_1_1st_2.csv", "0,1,Label\n1,2,0\n3,4,0\n5,6,1\n")
    got = one("tsb-ad-u", tmp_path)
    assert (got.train_end, got.channels, got.y.tolist()) == (2, ["Data"], [0, 0, 1])
    got = one("tsb-ad-m", tmp_path)
    assert (got.channels, got.X[2].tolist()) == (["0", "1"], [5, 6])
    assert one("tsb-ad-u", tmp_path / "TSB-AD-U").name.startswith("001_NAB")


def test_skab(tmp_path: Path) -> None:
    rows = "datetime;Pressure;Volume Flow RateRMS;anomaly;changepoint\n2020-03-09 10:14:33;0.05;32.0;0.0;0.0\n"
    put(tmp_path / "SKAB/data/valve1/0.csv", rows + "2020-03-09 10:14:34;0.06;31.0;1.0;1.0\n")
    got = one("skab", tmp_path)
    assert (got.name, got.channels, got.y.tolist()) == ("valve1/0", ["Pressure", "Volume Flow RateRMS"], [0, 1])
    assert got.train_end == 400


def test_yahoo(tmp_path: Path) -> None:
    put(tmp_path / "Yahoo/A1Benchmark/real_1.csv", "timestamp,value,is_anomaly\n1,0.5,0\n2,9,1\n")
    a3 = "timestamps,value,anomaly,changepoint,trend,noise,seasonality1,seasonality2,seasonality3\n1,5,1,0,1,2,3,4,5\n"
    put(tmp_path / "Yahoo/A3Benchmark/A3Benchmark-TS1.csv", a3)
    put(tmp_path / "Yahoo/A3Benchmark/A3Benchmark_all.csv", a3)
    found = find("yahoo", tmp_path)
    assert list(found) == ["A1Benchmark/real_1", "A3Benchmark/A3Benchmark-TS1"]
    assert [(s().y.tolist(), s().channels) for s in found.values()] == [([0, 1], ["value"]), ([1], ["value"])]


def test_own_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series = tmp_path / "series"
    put(series / "multivariate.csv", "name,dataset\nSMD_a,SMD\nASD_b,ASD\ngone,X\n")
    (series / "multivariate").mkdir()
    X = np.zeros((4, 2), "float32")
    np.savez(series / "multivariate/SMD_a.npz", X=X, y=np.array([0, 1, 0, 0], "int8"), X_train=X[:2], tsb_train_end=-1)
    np.savez(series / "multivariate/ASD_b.npz", X=X, y=np.zeros(4, "int8"), tsb_train_end=2)
    put(series / "ucr.csv", "name,n\nu,4\n")
    (series / "ucr").mkdir()
    np.savez(series / "ucr/u.npz", X=X[:, :1], train_end=1, anomaly=[2, 3])
    got = one("multivariate", tmp_path, 2)
    assert (got.y.tolist(), got.train_end, got.X_train.shape) == ([0, 1, 0, 0], None, (2, 2))
    monkeypatch.setenv("ANODIFF_DATA", str(tmp_path))
    assert find("asd")["ASD_b"]().train_end == 2
    assert list(find("smd")) == ["SMD_a"]
    assert find("smd")["SMD_a"]().collection == "multivariate"
    assert find("ucr")["u"]().y.tolist() == [0, 0, 1, 0]
    (series / "ucr/u.npz").write_bytes(b"PK")
    with pytest.raises(Unreadable, match=r"u\.npz"):
        find("ucr")["u"]()


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_what_is_absent_is_said_in_full(collection: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANODIFF_DATA", raising=False)
    for folder in (tmp_path, None):
        with pytest.raises(Unreadable, match="not found") as refusal:
            find(collection, folder)
        said = str(refusal.value)
        wanted = COLLECTIONS[collection]
        assert all(part in said for part in (wanted.title, wanted.origin, wanted.shape, "ANODIFF_DATA"))
        assert folder is None or str(tmp_path) in said
    with pytest.raises(Misfit, match="no collection 'nobody'"):
        find("nobody")


@pytest.mark.data
def test_the_copies_hold_what_their_index_says() -> None:
    assert [len(find(name)) for name in ("univariate", "ucr", "asd")] == [38, 38, 6]
    got = find("msl")["MSL_D-14"]()
    assert (int(got.y.sum()), int(got.y.argmax()), got.X_train.shape) == (222, 1630, (3675, 55))
