#!/bin/sh
# The cluster, one account and the people, in an accounting that has just started.
set -eu
for _ in $(seq 60); do
    ! sacctmgr --noheader show cluster >/dev/null 2>&1 || break
    sleep 1
done
sacctmgr --immediate add cluster mycluster
sacctmgr --immediate add account project1 Cluster=mycluster
sacctmgr --immediate add user ada,hubcheck Account=project1 Cluster=mycluster
