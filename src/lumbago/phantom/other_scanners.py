"""Protocols that no model has learned from: low field, other makers, 3D sequences, inversion-prepared T1, Dixon.

Times and sizes are those that such scanners commonly use for the spine; general knowledge, not measured. A 3D sequence
is written as reformatted slices; its echo train is given as the shorter one that blurs alike, since flip angles vary
along it.
"""

from typing import Final

from lumbago.phantom.scan_protocols import Planning, Scanner, Sequence

OTHER_SCANNERS: Final[tuple[Scanner, ...]] = (
    Scanner("HITACHI", ("AIRIS Vento", "APERTO Lucent"), 0.4, 0.25, {
        "sagittal_t1": Sequence(("T1 SAG", "SE T1 sag"), "", 400.0, 18.0, 2, False, 90.0, 90.0, 330.0, (256, 512),
            1.15, 5.0, 6.0),
        "sagittal_t2": Sequence(("T2 SAG", "FSE T2 sag"), "", 3600.0, 125.0, 14, False, 90.0, 90.0, 330.0, (256, 512),
            1.15, 5.0, 6.0),
        "axial_t2": Sequence(("T2 AX", "FSE T2 ax"), "", 4300.0, 125.0, 14, False, 90.0, 90.0, 225.0, (256,),
            0.98, 5.0, 6.0),
    }, Sequence(("STIR SAG",), "", 2600.0, 25.0, 8, False, 90.0, 90.0, 330.0, (256,), 1.25, 5.0, 6.0)),
    Scanner("Siemens Healthineers", ("MAGNETOM Free.Max",), 0.55, 0.2, {
        "sagittal_t1": Sequence(("t1_tse_sag_dr",), "*tse2d1_4", 480.0, 11.0, 4, False, 140.0, 150.0, 320.0, (640,),
            0.85, 4.0, 4.4),
        "sagittal_t2": Sequence(("t2_tse_sag_dr",), "*tse2d1_19", 3300.0, 92.0, 19, False, 140.0, 150.0, 320.0, (640,),
            0.85, 4.0, 4.4),
        "axial_t2": Sequence(("t2_tse_tra_dr",), "*tse2d1_19", 4700.0, 94.0, 19, False, 140.0, 150.0, 220.0, (512,),
            0.72, 4.0, 5.2),
    }, Sequence(("t2_tse_dixon_sag_W",), "*tse2d1_16", 3500.0, 84.0, 16, False, 140.0, 150.0, 320.0, (448,), 1.0, 4.0,
        4.4, water=True)),
    Scanner("CANON_MEC", ("MRT200SP5", "Vantage Orian"), 1.5, 0.2, {
        "sagittal_t1": Sequence(("T1 SAG FSE", "Sag T1W"), "", 430.0, 15.0, 3, False, 90.0, 122.0, 350.0, (512, 576),
            1.0, 5.0, 6.0),
        "sagittal_t2": Sequence(("T2 SAG FSE", "Sag T2W"), "", 2600.0, 82.0, 13, False, 90.0, 122.0, 350.0, (512, 576),
            0.95, 5.0, 6.0),
        "axial_t2": Sequence(("T2 AX FSE", "Ax T2W"), "", 3000.0, 130.0, 23, False, 90.0, 122.0, 230.0, (256, 448),
            0.85, 5.0, 7.0),
    }, Sequence(("Sag WFS T2 water",), "", 2800.0, 84.0, 13, False, 90.0, 122.0, 350.0, (512,), 1.1, 5.0, 6.0,
        water=True)),
    Scanner("UIH", ("uMR 780", "uMR 570"), 3.0, 0.2, {
        "sagittal_t1": Sequence(("t1_flair_sag", "t1_fse_flair_sag"), "", 2150.0, 9.0, 7, False, 140.0, 320.0, 260.0,
            (512, 704), 0.7, 3.0, 3.3, inversion_time=860.0),
        "sagittal_t2": Sequence(("t2_fse_sag",), "", 2700.0, 86.0, 24, False, 140.0, 320.0, 260.0, (512, 704), 0.6, 3.0,
            3.3),
        "axial_t2": Sequence(("t2_fse_tra",), "", 3200.0, 128.0, 24, False, 140.0, 320.0, 160.0, (512, 640), 0.5, 3.0,
            3.3),
    }, Sequence(("t2_fse_wfi_sag_water",), "", 3300.0, 90.0, 18, False, 140.0, 320.0, 270.0, (512,), 0.8, 3.0, 3.3,
        water=True)),
    Scanner("Siemens Healthineers", ("MAGNETOM Sola",), 1.5, 0.15, {
        "sagittal_t1": Sequence(("t1_space_sag_iso_MPR",), "*spcR_58ns", 600.0, 11.0, 6, False, 120.0, 600.0, 280.0,
            (320,), 0.95, 2.0, 2.0),
        "sagittal_t2": Sequence(("t2_space_sag_iso_MPR",), "*spcR_82ns", 1500.0, 132.0, 20, True, 120.0, 620.0, 280.0,
            (320,), 0.95, 2.0, 2.0),
        "axial_t2": Sequence(("t2_space_sag_iso_MPR_tra",), "*spcR_82ns", 1500.0, 132.0, 20, True, 120.0, 620.0, 200.0,
            (256,), 0.95, 3.0, 3.0),
    }, Sequence(("stir_space_sag_MPR",), "*spcir_95ns", 3800.0, 100.0, 20, False, 120.0, 600.0, 280.0, (320,), 1.1, 2.0,
        2.0)),
)  # fmt: skip

OTHER_PLANNING: Final = Planning(
    layouts=(0.55, 0.1, 0.35),
    square=True,
    askew=(2.2, 4.0),
    counts=(11, 13, 15, 21),
    per_disc=(2, 7),
    widest_mm=(420.0, 280.0),
    suppressed=0.2,
)
"""Blocks square to the table instead of along the discs, disc groups set less exactly, and a fifth of the sagittal T2
fat suppressed, most of them as the water image of a Dixon sequence."""
