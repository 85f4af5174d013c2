#!/bin/sh
# The cluster, its accounts and the people, in an accounting that has just started.
set -eu
for _ in $(seq 60); do
    ! sacctmgr --noheader show cluster >/dev/null 2>&1 || break
    sleep 1
done
sacctmgr --immediate add cluster leonardo
sacctmgr --immediate add account aifac_agri01,tra26_hack Cluster=leonardo
sacctmgr --immediate add user ada Account=aifac_agri01 Cluster=leonardo
sacctmgr --immediate add user carla Account=tra26_hack Cluster=leonardo
