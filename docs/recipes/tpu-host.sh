#!/bin/bash
# One process for each chip of a TPU host, none of which knows of the others. On a pod, the same on
# every host:
#   gcloud compute tpus tpu-vm ssh NAME --worker=all --command="bash tpu-host.sh"
# A process that dies ends no other one; what it was at is made by the others.
chips=$(ls /dev/accel* /dev/vfio/[0-9]* 2>/dev/null | wc -l)

# This host is told that it is alone, and each process that it has one chip.
export TPU_SKIP_MDS_QUERY=1 TPU_WORKER_ID=0 TPU_WORKER_HOSTNAMES=localhost
export TPU_PROCESS_BOUNDS=1,1,1 TPU_CHIPS_PER_PROCESS_BOUNDS=1,1,1

for ((chip = 0; chip < chips; chip++)); do
    TPU_VISIBLE_CHIPS=$chip cem-jax sweep gs://BUCKET/many.toml --out gs://BUCKET/many &
done
wait
