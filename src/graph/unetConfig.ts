import type { Config } from "./config";

/** The measures of a UNet of the kind of Stable Diffusion, whatever its checkpoint calls them. Lists hold one value for each level, finest first. */
export interface UNetConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly channels: readonly number[];
  /** ResNet blocks of the way down; the way up has one more. */
  readonly layers: readonly number[];
  /** Whether the ResNet blocks of the way down are followed by transformers. */
  readonly downAttends: readonly boolean[];
  /** The same for the way up, coarsest level first. */
  readonly upAttends: readonly boolean[];
  readonly heads: readonly number[];
  readonly depths: readonly number[];
  readonly groups: number;
  readonly epsilon: number;
  readonly linearProjection: boolean;
  readonly contextWidth: number;
  /** See `TransformerSettings.rescale`. */
  readonly rescalesSelfAttention: boolean;
  readonly frequencyShift: number;
  readonly cosFirst: boolean;
  /** Width of the class labels, where the network takes some. */
  readonly classWidth?: number;
}

/** The `config.json` of a UNet2DConditionModel of diffusers. */
export function readUNetConfig(config: Config): UNetConfig {
  const channels = config.counts("block_out_channels");
  const levels = channels.length;
  const attends = (type: string) => type.startsWith("CrossAttn");
  return {
    inChannels: config.count("in_channels"),
    outChannels: config.count("out_channels"),
    channels,
    layers: config.countPerLevel("layers_per_block", levels),
    downAttends: config.choices("down_block_types", levels, ["CrossAttnDownBlock2D", "DownBlock2D"]).map(attends),
    upAttends: config.choices("up_block_types", levels, ["CrossAttnUpBlock2D", "UpBlock2D"]).map(attends),
    // In these configs "attention_head_dim" is the number of heads.
    heads: config.countPerLevel("attention_head_dim", levels),
    depths: config.countPerLevel("transformer_layers_per_block", levels, 1),
    groups: config.count("norm_num_groups"),
    epsilon: config.positive("norm_eps"),
    linearProjection: config.flag("use_linear_projection", false),
    contextWidth: config.count("cross_attention_dim"),
    rescalesSelfAttention: false,
    frequencyShift: config.whole("freq_shift"),
    cosFirst: config.flag("flip_sin_to_cos"),
    classWidth: config.optionalChoice("class_embed_type", ["projection"]) && config.count("projection_class_embeddings_input_dim"),
  };
}
