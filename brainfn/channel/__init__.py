"""Ion channels and ions: the parts of Hodgkin-Huxley cells, for point neurons and compartments."""

from ._base import (
    AbstractChannel as AbstractChannel,
    AbstractKinetics as AbstractKinetics,
    AbstractOhmicChannel as AbstractOhmicChannel,
    Gate as Gate,
    alpha_beta as alpha_beta,
    inf_tau as inf_tau,
)
from ._bell import bell as bell, hill as hill
from ._calcium import (
    Buffered as Buffered,
    BufferedCalcium as BufferedCalcium,
    CalciumPool as CalciumPool,
    CalciumPump as CalciumPump,
    CalciumTraub as CalciumTraub,
    RapidlyBufferedCalcium as RapidlyBufferedCalcium,
    shell_gain as shell_gain,
)
from ._calcium_activated import (
    AHPCurrentDestexhe as AHPCurrentDestexhe,
    CANCurrentInoue as CANCurrentInoue,
    KCaCurrentMainen as KCaCurrentMainen,
    SKCurrentKohler as SKCurrentKohler,
)
from ._calcium_high import (
    LCurrentHuguenard as LCurrentHuguenard,
    LCurrentInoue as LCurrentInoue,
    LCurrentReuveni as LCurrentReuveni,
)
from ._calcium_low import (
    TCurrentAvery as TCurrentAvery,
    TCurrentDestexhe as TCurrentDestexhe,
    TCurrentHuguenard as TCurrentHuguenard,
    TCurrentHuguenardPrince as TCurrentHuguenardPrince,
)
from ._gates import (
    gate_slopes as gate_slopes,
    open_gates as open_gates,
    start_gates as start_gates,
)
from ._h import (
    HCurrentDestexhe as HCurrentDestexhe,
    HCurrentHuguenard as HCurrentHuguenard,
    HCurrentKole as HCurrentKole,
)
from ._hodgkin_huxley import (
    Leak as Leak,
    PotassiumHH as PotassiumHH,
    PotassiumLeak as PotassiumLeak,
    SodiumHH as SodiumHH,
)
from ._ion import AbstractIon as AbstractIon, FixedIon as FixedIon, NernstIon as NernstIon
from ._linoid import linoid as linoid
from ._potassium import (
    PotassiumConnorStevens as PotassiumConnorStevens,
    PotassiumMainen as PotassiumMainen,
    PotassiumRettig as PotassiumRettig,
    PotassiumTraubMiles as PotassiumTraubMiles,
    PotassiumWangBuzsaki as PotassiumWangBuzsaki,
)
from ._potassium_a import (
    ACurrentConnorStevens as ACurrentConnorStevens,
    ACurrentHuguenardFast as ACurrentHuguenardFast,
    ACurrentHuguenardSlow as ACurrentHuguenardSlow,
    ACurrentKorngreen as ACurrentKorngreen,
    ACurrentMigliore as ACurrentMigliore,
)
from ._potassium_slow import (
    K2CurrentHuguenard as K2CurrentHuguenard,
    MCurrentAdams as MCurrentAdams,
    MCurrentMainen as MCurrentMainen,
    MCurrentYamada as MCurrentYamada,
    PotassiumPersistentKorngreen as PotassiumPersistentKorngreen,
)
from ._reversal import (
    AbstractReversal as AbstractReversal,
    Concentrations as Concentrations,
    FixedReversal as FixedReversal,
    Nernst as Nernst,
    ghk as ghk,
    nernst as nernst,
)
from ._scheme import Scheme as Scheme
from ._sodium import (
    SodiumConnorStevens as SodiumConnorStevens,
    SodiumHuguenard as SodiumHuguenard,
    SodiumTraubMiles as SodiumTraubMiles,
    SodiumWangBuzsaki as SodiumWangBuzsaki,
)
from ._sodium_cortical import (
    SodiumMainen as SodiumMainen,
    SodiumPersistent as SodiumPersistent,
    SodiumTransientAxonal as SodiumTransientAxonal,
    SodiumTransientSomatic as SodiumTransientSomatic,
)
from ._temperature import speed as speed
