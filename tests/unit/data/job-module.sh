#!/bin/bash
#SBATCH --job-name=hpchub
#SBATCH --comment=hpchub=1&hub=demo&user=ada&server=&session=0123456789abcdef0123456789abcdef
#SBATCH --account=aifac_agri01
#SBATCH --partition=boost_usr_prod
#SBATCH --qos=normal
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=122880M
#SBATCH --gres=gpu:a100:1
#SBATCH --time=1-01:30:00
#SBATCH --no-requeue
# Profile agrifood/remote-sensing, session 0123456789abcdef0123456789abcdef.

environment=/etc/profile
# A batch shell has no `module` before this file is read; whether that worked shows with the first module.
. "$environment"
if ! module load python/3.11.7 jupyterhub/6.1 || ! command -v jupyterhub-singleuser >/dev/null; then
    echo "hpchub: there is no jupyterhub-singleuser in these modules on $(uname -n): python/3.11.7 jupyterhub/6.1" >&2
    exit 71
fi
export HPCHUB_SINGLEUSER=jupyterhub-singleuser

# The program between the two marks waits for the notebook server and speaks to the hub.
exec python3 -I - <<'HPCHUB_BOOTSTRAP'
<bootstrap.py>
HPCHUB_BOOTSTRAP
