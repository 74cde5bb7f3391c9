/** The main job on the images for machines with UEFI, from their firmware on. */
import { genericAmd64 } from '../../firmware-images/boards/generic-amd64.ts';
import { genericArm64 } from '../../firmware-images/boards/generic-arm64.ts';
import { PC, VIRT } from './hardware.ts';
import { describeMainJob } from './main-job.ts';

describeMainJob({ board: genericAmd64, hardware: PC });
// Its battery is empty: what time it is it hears from its gateway.
describeMainJob({ board: genericArm64, hardware: VIRT, clock: '1970-01-01T00:00:00' });
