#!/usr/bin/env bash
# Compiles the feature `cuda`, tests included, on a machine without a GPU or a CUDA toolkit:
# nvcc and the headers come from PyPI.
#
#     scripts/cuda/check.sh [more arguments of cargo check]
#
# CUDA_COMPUTE_CAP chooses the GPU to compile for (80 unless set). Takes about 10 minutes on two
# cores the first time, for nvcc has candle's kernels to compile. What it installs and builds is
# kept beside the Python environments of `.ci/run`.
set -euo pipefail
cd "$(dirname "$0")/../.."

requirements=scripts/cuda/requirements.txt
environments=${XDG_CACHE_HOME:-$HOME/.cache}/senet
environment=$environments/cuda-$(sha256sum "$requirements" | cut -c 1-16)
if [ ! -e "$environment/complete" ]; then
    rm -rf "$environment"
    mkdir -p "$environments"
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --requirement "$requirements"
    touch "$environment/complete"
fi

# All of these packages install into one folder, laid out as a CUDA toolkit is.
CUDA_HOME=$(echo "$environment"/lib/python3*/site-packages/nvidia/cu13)
[ -x "$CUDA_HOME/bin/nvcc" ] || {
    echo "error: no nvcc in $CUDA_HOME/bin" >&2
    exit 2
}
export CUDA_HOME CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-80}
export PATH=$CUDA_HOME/bin:$PATH
exec cargo check --release --all-targets --locked --features cuda \
    --target-dir "$environment/target" "$@"
