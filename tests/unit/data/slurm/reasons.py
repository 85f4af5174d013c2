"""Lists every reason code that a Slurm knows, by asking its own library: see README.md beside this file."""

import ctypes
import glob

(path,) = glob.glob("/usr/lib/*/slurm-wlm/libslurmfull.so")
library = ctypes.CDLL(path)
# the first is the name in 24.11 and 26.05
function = getattr(library, "job_state_reason_string", None) or library.job_reason_string
function.restype = ctypes.c_char_p

for number in range(1000):
    code = function(number).decode()
    # a number that means nothing is given back (22.05), or is called so (24.11's spelling, and 26.05's)
    if code not in (str(number), "InvaildReason", "InvalidReason"):
        print(code)
