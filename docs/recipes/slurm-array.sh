#!/bin/bash
# Eight workers that share a folder, four hours at a time, until every map is made:
#   sbatch slurm-array.sh
#SBATCH --job-name=cem
#SBATCH --array=0-7
#SBATCH --gpus=1
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append

# Maps that are in work stop ten minutes before the limit, and what they have is kept.
srun cem-jax sweep many.toml --out "$SCRATCH/many" --for 3h50m
status=$?

# 75: the time was up. A failed map (2) is not made better by another try.
if [ "$status" -eq 75 ]; then
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$status"
