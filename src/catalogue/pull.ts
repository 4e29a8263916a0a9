import { PlumblineError, unexpected } from "../core/errors";
import { readCatalogue, type Catalogue, type DownloadableModel } from "./catalogue";
import { downloadModel, type DownloadProgress, type Offer } from "./download";
import { chooseFiles, recogniseLayout } from "./fileChoice";
import type { HubFile, Listing } from "./hubClient";
import { readHubSettings } from "./hubSettings";
import { findHere, findRepository, licenceOf, readInstallRecord, type LibraryModel, type Licence, type Places } from "./library";
import type { Patience } from "./retry";
import { storageFolder } from "./storage";

/** What a person is asked to accept before anything is downloaded. */
export interface PullOffer extends Omit<Offer, "licence"> {
  readonly name: string;
  readonly licence: Licence;
}

export interface PullOptions {
  /** Branch, tag or commit; that of the catalogue, else `main`, when absent. */
  readonly revision?: string;
  readonly accept: (offer: PullOffer) => Promise<boolean>;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Pauses the download: pulling again goes on with it. */
  readonly signal?: AbortSignal;
  readonly patience?: Patience;
}

/**
 * Brings a model here, from the hub: one of the catalogue, by its repository or the part after the slash, or any other repository with a
 * known layout. One that is installed or in the Hugging Face cache already is returned at once, with no network.
 * Rejects with what `downloadModel` does, and `bad-argument` where another revision is installed.
 */
export async function pullModel(places: Places, name: string, options: PullOptions): Promise<LibraryModel> {
  const { environment = process.env } = places;
  const catalogue = await readCatalogue(places.modelsDir);
  const repository = await findRepository(catalogue, name, environment);
  if (repository === undefined) {
    throw unexpected("not-found", "the model", "OWNER/NAME, or the name of a model of the catalogue", name, "plumbline models list shows the catalogue.");
  }
  const entry = catalogue.downloads.find((download) => download.repository === repository);
  const here = await findHere(repository, environment, entry);
  if (here && here.state !== "incomplete" && (await isRevision(here, options.revision))) return here;
  await downloadModel(repository, {
    settings: await readHubSettings(environment),
    storage: storageFolder(environment),
    revision: options.revision ?? entry?.revision ?? "main",
    choose: (listing) => neededFiles(listing, catalogue, entry, options.revision),
    accept: async (offer) => options.accept({ ...offer, name: entry?.name ?? repository, licence: licenceOfOffer(offer, entry) }),
    onProgress: options.onProgress,
    signal: options.signal,
    patience: options.patience,
  });
  const model = await findHere(repository, environment, entry);
  if (!model) throw new PlumblineError("not-found", `${repository} was installed but is not there any more.`, "Another program may have removed it: pull it again.");
  return model;
}

async function isRevision({ id, dir, state, revision: commit }: LibraryModel, wanted: string | undefined): Promise<boolean> {
  if (wanted === undefined || commit?.startsWith(wanted)) return true;
  if (state !== "installed" || dir === undefined) return false;
  const record = await readInstallRecord(dir);
  if (record?.revision === wanted) return true;
  throw unexpected("bad-argument", `the revision of ${id}`, `${commit ?? "the one that is installed"}, which is installed`, wanted, `Remove it first: plumbline models remove ${id}`);
}

function neededFiles(listing: Listing, { layouts }: Catalogue, entry: DownloadableModel | undefined, revision: string | undefined): readonly HubFile[] {
  const { repository, files } = listing;
  const layout = entry?.layout ?? recogniseLayout(files, layouts);
  if (layout === undefined) {
    throw new PlumblineError("unsupported", `Expected a checkpoint in the layout of diffusers, or a network in ONNX format with its processor's configuration, for ${repository} but found neither.`, "Choose another repository, or download its files yourself and add the folder: plumbline models add FOLDER");
  }
  const chosen = chooseFiles(files, layouts[layout], repository);
  if (revision === undefined) requireKnown(chosen, entry);
  return chosen;
}

/** What the catalogue knows of files must be what the hub says of them. */
function requireKnown(files: readonly HubFile[], entry: DownloadableModel | undefined): void {
  for (const { path, bytes, hash } of files) {
    const known = entry?.files?.[path];
    if (known && (known.bytes !== bytes || known.sha256 !== hash.hex)) throw unexpected("download-failed", `${path} of ${entry.repository}`, `${known.bytes} bytes with SHA-256 ${known.sha256}`, `${bytes} bytes with ${hash.kind} ${hash.hex}`, "The server offers another file than the one that Plumbline knows: check HF_ENDPOINT.");
  }
}

/** The catalogue's, unless it only says where to look and the card says more. */
function licenceOfOffer({ repository, licence }: Offer, entry: DownloadableModel | undefined): Licence {
  if (entry && (entry.licence.nonCommercial !== undefined || licence === undefined)) return entry.licence;
  return { ...(licence === undefined ? { name: "see the repository" } : licenceOf(licence)), url: `https://huggingface.co/${repository}` };
}
