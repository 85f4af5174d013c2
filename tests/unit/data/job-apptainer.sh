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

environment=/opt/images/pytorch.sif
if [ ! -r "$environment" ] || ! command -v apptainer >/dev/null; then
    echo "hpchub: there is no image $environment, or no apptainer, on $(uname -n)" >&2
    exit 71
fi
export HPCHUB_SINGLEUSER=jupyterhub-singleuser

# The program between the two marks waits for the notebook server and speaks to the hub.
exec apptainer exec --nv "$environment" python3 -I - <<'HPCHUB_BOOTSTRAP'
<bootstrap.py>
HPCHUB_BOOTSTRAP
