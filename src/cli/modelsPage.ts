import { readCatalogue } from "../catalogue/catalogue";
import { systemsMarkdown } from "../catalogue/systems";

/** The page docs/models.md. */
export async function modelsPage(modelsDir: string, systemsPath: string): Promise<string> {
  const catalogue = await readCatalogue(modelsDir);
  return `# Every system of the paper, and how it gets in

Written by \`plumbline models list --markdown\` from [models/catalogue.json](../models/catalogue.json) and
[docs/models.json](models.json): change those, not this page.

**Real weights cannot be reached from the machines that test Plumbline.** What is verified is verified with checkpoints of the same layout
and small random or trained weights, against numbers that PyTorch wrote (*reference parity*); with graphs of the same inputs and outputs
(*signature*); or from picture to map with the models that ship (*end to end*). Downloads are tested against a local server that speaks the
hub's API.

The figures are the paper's, on NYUv2 ([Martin Garcia et al., 2025](https://arxiv.org/abs/2409.11355), Tables 1 to 6, A-3 and A-4), not
measured here. \`plumbline models show NAME\` has those of the other data sets. Frames of normals: RUB is x right, y up, z toward the viewer;
LUB is x left.

${await systemsMarkdown(systemsPath, catalogue)}

TAESD ([madebyollin/taesd](https://huggingface.co/madebyollin/taesd)) is a fast decoder for the latent models, approximate and chosen
explicitly. Any other network in ONNX format gets in with a manifest ([manifest.md](manifest.md)), any other checkpoint of these layouts by its
folder or its repository's name.
`;
}
