// Where images are decoded: small ones here, each in less than a millisecond; others in threads, so that none holds up the event loop.
import { readImage, type Image, type ImageForm } from "./image-file.js";
import { errorOf, inThread } from "./threads/pool.js";
import type { PlainError } from "./threads/protocol.js";

/** Decodes some files; an image that cannot be read is a promise that rejects. */
export type DecodeImages = (paths: readonly string[]) => Promise<Promise<Image>[]>;

// Pixels and channels of an image that is decoded here.
const inlineBytes = 2 ** 14;

/** A decoder for images of a size. @param first one of them */
export function decoderOf(where: string, form: ImageForm, first: Image): DecodeImages {
  if (first.data.length <= inlineBytes) return (paths) => Promise.resolve(paths.map((path) => quiet(readImage(where, path, form)))); // prettier-ignore
  return async (paths) => {
    const images: Promise<Image>[] = [];
    for await (const said of inThread<{ image: Image } | { error: PlainError }>("images", { where, paths, form })) {
      images.push("image" in said ? Promise.resolve(said.image) : quiet(Promise.reject(errorOf(said.error))));
    }
    return images;
  };
}

// Whoever wants the image is told what is wrong with it.
function quiet(image: Promise<Image>): Promise<Image> {
  image.catch(() => undefined);
  return image;
}
