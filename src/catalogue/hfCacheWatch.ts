import { watch, type FSWatcher } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";

/** Folders that are watched at once: each costs the system a handle. What lies in more is seen when the list is asked for anew. */
const mostFolders = 500;

/**
 * Calls `onChange` when something comes into the Hugging Face cache, or goes, until the answer is called. Watched are the folders that say what is
 * there whole: the cache itself, which need not exist yet, and of each repository of models `refs` and the trees under `snapshots`. Its `blobs`,
 * into which a download writes all the time, are not. What cannot be watched is left alone.
 */
export function watchHubCache(folder: string, onChange: () => void): () => void {
  const watchers = new Map<string, FSWatcher>();
  let isClosed = false;

  const closeAt = (path: string): void => {
    for (const [watched, watcher] of watchers) {
      if (watched !== path && !watched.startsWith(path + sep)) continue;
      watcher.close();
      watchers.delete(watched);
    }
  };

  const listen = (path: string, onEvent: (name: string) => void): boolean => {
    if (isClosed || watchers.size >= mostFolders || watchers.has(path)) return false;
    try {
      const watcher = watch(path, { persistent: false }, (_, name) => onEvent(name ?? ""));
      watchers.set(path, watcher.on("error", () => closeAt(path)));
      return true;
    } catch {
      return false;
    }
  };

  /** Watches a folder and those in it that count; first the folder, so that nothing slips between. */
  const follow = async (path: string): Promise<void> => {
    if (!(await isFolder(path)) || !listen(path, (name) => void look(path, name))) return;
    const names = await readdir(path).catch((): string[] => []);
    await Promise.all(names.filter((name) => counts(relative(folder, join(path, name)))).map((name) => follow(join(path, name))));
  };

  const look = async (path: string, name: string): Promise<void> => {
    if (path === folder && !(await isFolder(folder))) return start();
    const changed = join(path, name);
    if (!counts(relative(folder, changed))) return;
    // A folder may have gone and come back, under the same name.
    closeAt(changed);
    await follow(changed);
    if (!isClosed) onChange();
  };

  /** Follows the cache, or waits in the nearest folder there is for the way to it. */
  const start = async (): Promise<void> => {
    closeAt(folder);
    if (await isFolder(folder)) {
      await follow(folder);
      return;
    }
    let missing = folder;
    while (dirname(missing) !== missing && !(await isFolder(dirname(missing)))) missing = dirname(missing);
    const above = dirname(missing);
    const goOn = async (name: string): Promise<void> => {
      // A folder that goes is told of under its own name.
      if (name !== basename(missing) && name !== basename(above)) return;
      watchers.get(above)?.close();
      watchers.delete(above);
      await start();
      if (!isClosed) onChange();
    };
    const isWatched = listen(above, (name) => void goOn(name));
    // Meanwhile the missing folder may have come, or the one above it may have gone, of which nothing tells then.
    if (await isFolder(missing)) await goOn(basename(missing));
    else if (!isWatched && !isClosed && !(await isFolder(above))) await start();
  };

  void start();
  return () => {
    isClosed = true;
    for (const watcher of watchers.values()) watcher.close();
    watchers.clear();
  };
}

/** Whether a path inside the cache belongs to what says which models are there. */
function counts(path: string): boolean {
  const [repository, part] = path.split(sep);
  return repository.startsWith("models--") && (part === undefined || part === "snapshots" || part === "refs");
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then((found) => found.isDirectory(), () => false);
}
