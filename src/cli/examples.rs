//! What each command's help ends with.

pub(super) const CLASSIFY: &str = "\
Examples:
  senet classify photo.jpg
  senet classify -w hf:timm/seresnet50.ra2_in1k -k 1 photos
  find photos -name '*.jpg' | senet classify -o rows.csv -f csv -";

pub(super) const EVAL: &str = "\
Examples:
  senet eval imagenet --split val
  senet eval photos.csv -w model.safetensors -f ndjson
  senet eval photos -w new.safetensors --compare old.safetensors";

pub(super) const EXPLAIN: &str = "\
Examples:
  senet explain photo.jpg -o heat.png
  senet explain photo.jpg -w model.safetensors --class hammer -f html
  senet explain labelled -w builtin:seresnet20 --by-class -o gates.html";

pub(super) const TRACE: &str = "\
Examples:
  senet trace seresnet50 --size 320
  senet trace model.safetensors --format html > trace.html
  senet trace --image photo.jpg --save layer1 --save-to values.safetensors";

pub(super) const PARITY: &str = "\
Examples:
  senet parity -w weights.safetensors -r dump.safetensors
  senet parity -w weights.safetensors -r dump.safetensors --isolate
  senet parity --ours mine.safetensors -r dump.safetensors -f html";

pub(super) const BENCH: &str = "\
Examples:
  senet bench seresnet50
  senet bench seresnet50 --batch-size 8 --threads 2 --runs 50
  senet bench model.safetensors --engine candle -f json";

pub(super) const INSPECT: &str = "\
Examples:
  senet inspect model.safetensors
  senet inspect hf:timm/seresnet50.ra2_in1k
  senet inspect model.safetensors -n seresnet50";

pub(super) const MODELS: &str = "\
Examples:
  senet models
  senet models resnext
  senet models seresnet50 -f json";

pub(super) const COMPLETIONS: &str = "\
Examples:
  senet completions bash
  senet completions zsh
  senet completions fish";

pub(super) const MAN: &str = "\
Examples:
  senet man
  senet man classify
  senet man --output share/man/man1";
