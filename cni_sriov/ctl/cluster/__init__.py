"""The engines that hand out blocks to the nodes of a cluster: etcd, and the Kubernetes API."""
