# shellcheck shell=bash
# Sourced by the gates: paths, messages, and a copy of the collection to work in.

root=$(cd -P "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
gate=$(basename "$0")
work=$root/.dev/gates/$gate
failures=()
export root gate work

say() { printf '[%s] %s\n' "$gate" "$*"; }
die() { say "FAILED: $*"; exit 1; }

[[ ${VIRTUAL_ENV:-} == "$root/.dev/venv" ]] || die "not in the project's environment: run bin/dev tests/gates/$gate"

# Run one command and continue after a failure. Its output is shown only if it fails. `set -e` has no effect inside.
check() {
  local name=$1 started=$SECONDS log
  shift
  mkdir -p "$work"
  log=$work/${name//[^a-z0-9-]/_}.log
  if "$@" >"$log" 2>&1; then
    say "$name: ok ($((SECONDS - started)) s)"
  else
    cat "$log"
    say "$name: FAILED ($((SECONDS - started)) s)"
    failures+=("$name")
  fi
}

passed() { [[ " ${failures[*]} " != *" $1 "* ]]; }

# The closing line and the exit code.
finish() {
  if ((${#failures[@]})); then
    die "${failures[*]} (outputs are in ${work#"$root/"}/)"
  fi
  say "ok: $* ($SECONDS s)"
}

# The files of the working tree that git does not ignore, each terminated by a NUL. Takes git pathspecs.
files() {
  local name
  git -C "$root" ls-files -z --cached --others --exclude-standard -- "$@" | while IFS= read -r -d '' name; do
    if [[ -e $root/$name || -L $root/$name ]]; then
      printf '%s\0' "$name"
    fi
  done
}

# Copy those files to $tree, which ends in ansible_collections/odh/persistency as Ansible's tools require (a link is not enough),
# with kubernetes.core next to them, because ansible-test sees nothing outside its own tree.
copy_tree() {
  local collections=$work/collections/ansible_collections
  tree=$collections/odh/persistency
  rm -rf "$work/collections"
  mkdir -p "$tree" "$collections/kubernetes"
  files "$@" | tar -C "$root" --null --verbatim-files-from --files-from=- --create --file=- | tar -C "$tree" -xf -
  # Its own repository, because tools that list files with git would use that of the checkout, which ignores .dev.
  git init --quiet --template= "$tree"
  ln -s "$root/.dev/collections/ansible_collections/kubernetes/core" "$collections/kubernetes/core"
}

# Print git pathspecs, one per line, of what galaxy.yml allows in the artifact.
shipped() {
  python -c 'import sys, yaml
ignored = yaml.safe_load(open(sys.argv[1], encoding="utf-8"))["build_ignore"]
print(".", *(f":(exclude){name}" for name in ignored), sep="\n")' "$root/galaxy.yml"
}
