// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * While it is loaded, the kernel reckons with another VF offset for one PF: with 0x180, as an I350 has it behind a port
 * that does not forward ARI, its VFs are on the next bus. QEMU has no such port whose VFs leave the PF's bus.
 */
#include <linux/module.h>
#include <linux/pci.h>

/* how the kernel's own begins (struct pci_sriov, drivers/pci/pci.h, since 4.15); each number is compared before a write */
struct begin {
	int pos, nres;
	u32 cap;
	u16 ctrl, total, initial, num, offset, stride;
};

static char *pf = "0000:01:00.0";
module_param(pf, charp, 0444);
static ushort offset = 0x180;
module_param(offset, ushort, 0444);

static struct pci_dev *device;
static u16 before;

static struct begin *begin_of(struct pci_dev *dev)
{
	return (struct begin *)dev->sriov;
}

static int is_known(struct pci_dev *dev)
{
	struct begin *begin = begin_of(dev);
	u16 total, first, stride;
	int pos = pci_find_ext_capability(dev, PCI_EXT_CAP_ID_SRIOV);

	pci_read_config_word(dev, pos + PCI_SRIOV_TOTAL_VF, &total);
	pci_read_config_word(dev, pos + PCI_SRIOV_VF_OFFSET, &first);
	pci_read_config_word(dev, pos + PCI_SRIOV_VF_STRIDE, &stride);
	return pos && begin->pos == pos && begin->total == total && begin->offset == first && begin->stride == stride;
}

static int __init vfoffset_init(void)
{
	unsigned int domain, bus, slot, function;

	if (sscanf(pf, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return -EINVAL;
	device = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, function));
	if (!device)
		return -ENODEV;
	if (!device->is_physfn || !is_known(device)) {
		pci_dev_put(device);
		return -EOPNOTSUPP;
	}
	before = begin_of(device)->offset;
	begin_of(device)->offset = offset;
	return 0;
}

static void __exit vfoffset_exit(void)
{
	begin_of(device)->offset = before;
	pci_dev_put(device);
}

module_init(vfoffset_init);
module_exit(vfoffset_exit);
MODULE_DESCRIPTION("Another VF offset for one PF, for tests");
MODULE_LICENSE("Dual BSD/GPL");
